import { accessSync, constants } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'
import { withLock } from './lock.ts'
import { run } from './processes.ts'
import type { Log } from './progress.ts'

/** Commands, and the Debian package that has each. */
type Needed = Record<string, string>

const clusterNeeds: Needed = {
  '/usr/lib/cni/bridge': 'containernetworking-plugins',
  buildah: 'buildah',
  conntrack: 'conntrack',
  containerd: 'containerd',
  curl: 'curl',
  ip: 'iproute2',
  iptables: 'iptables',
  mmdebstrap: 'mmdebstrap',
  nsenter: 'util-linux',
  runc: 'runc',
}

/**
 * Installs those Debian packages that are missing; does nothing and asks nobody when all are there.
 * @param needed what a cluster needs of the machine, unless told otherwise
 */
export async function installPackages(log: Log, needed = clusterNeeds): Promise<void> {
  if (missingPackages(needed).length === 0) return
  await withLock('apt', log, async () => {
    const packages = missingPackages(needed)
    if (packages.length === 0) return
    log(`installing ${packages.join(', ')}`)
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    try {
      await run('apt-get', ['update', '-q'], { env })
      await run('apt-get', ['install', '-q', '-y', '--no-install-recommends', ...packages], { env })
    } catch (error) {
      throw new Error(`This machine lacks ${packages.join(', ')}, and apt-get could not install it. ${error}`)
    }
  })
}

function missingPackages(needed: Needed): string[] {
  return Object.entries(needed)
    .filter(([command]) => findCommand(command) === undefined)
    .map(([, name]) => name)
}

/** The full path of a command, looked up on PATH or in other folders. */
export function findCommand(command: string, path = [process.env.PATH ?? '']): string | undefined {
  const folders = isAbsolute(command) ? ['/'] : path.join(delimiter).split(delimiter)
  return folders.map((folder) => join(folder, command)).find(isExecutable)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
