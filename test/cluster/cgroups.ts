import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { waitUntil } from './processes.ts'

/** The mount points of all cgroup hierarchies: a dozen with version 1, one with version 2. */
function hierarchies(): string[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, , type]) => type === 'cgroup' || type === 'cgroup2')
    .map(([, mountPoint]) => mountPoint ?? '')
}

/** Makes the cgroup in every hierarchy: the kubelet does not make its own root. */
export function createCgroup(name: string): void {
  for (const hierarchy of hierarchies()) {
    const folder = join(hierarchy, name)
    mkdirSync(folder, { recursive: true })
    // With version 1 a new cpuset is empty, and no process can live in it.
    for (const file of ['cpuset.mems', 'cpuset.cpus']) {
      if (!existsSync(join(hierarchy, 'cgroup.controllers')) && existsSync(join(folder, file))) {
        writeFileSync(join(folder, file), readFileSync(join(hierarchy, file)))
      }
    }
  }
}

/** The folders of the cgroup that exist. */
export function cgroupFolders(name: string): string[] {
  return hierarchies()
    .map((hierarchy) => join(hierarchy, name))
    .filter(existsSync)
}

/** Removes the cgroup and all below it. Its processes must have been killed; the last may still be on their way out. */
export async function removeCgroup(name: string): Promise<void> {
  for (const folder of cgroupFolders(name)) {
    await waitUntil(`no process is left in ${folder}`, 30, () => removeTree(folder))
  }
}

function removeTree(folder: string): boolean {
  const below = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  if (!below.every((entry) => removeTree(join(folder, entry.name)))) return false
  try {
    rmdirSync(folder)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EBUSY') return false
    throw error
  }
}
