import { withLock } from './lock.ts'
import { cacheFolder } from './paths.ts'
import { run } from './processes.ts'
import type { Log } from './progress.ts'

/** What of Debian goes into a root file system. */
export type Bootstrap = {
  suite: string
  packages: string[]
  /** mmdebstrap's customize hooks: shell, with the new root as `$1`, or its own `upload` and `copy-in`. */
  hooks: string[]
}

/** Makes a root file system as a tar file, from the mirror that this machine itself uses. */
export async function bootstrap(
  log: Log,
  file: string,
  { suite, packages, hooks }: Bootstrap,
): Promise<void> {
  const mirror = await debianMirror()
  const unread = ['doc', 'man', 'locale', 'info'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`)
  const include = packages.length > 0 ? [`--include=${packages.join(',')}`] : []
  const args = [
    '--variant=minbase',
    '--format=tar',
    // A mirror may lag behind, and what it has is good enough here.
    '--aptopt=Acquire::Check-Valid-Until "false"',
    ...unread,
    ...include,
    ...hooks.map((hook) => `--customize-hook=${hook}`),
    suite,
    file,
    mirror,
  ]
  // One after the other: each is bound by the network and by dpkg, and they would only slow each other down.
  await withLock(`mmdebstrap ${cacheFolder}`, log, () => run('mmdebstrap', args))
}

async function debianMirror(): Promise<string> {
  const format = '$(ORIGIN) $(LABEL) $(REPO_URI)'
  const { stdout } = await run('apt-get', ['indextargets', '--format', format, 'Created-By: Packages'])
  const mirror = stdout.match(/^Debian Debian (\S+)$/m)?.[1]
  if (!mirror) throw new Error("apt has no Debian mirror: add one to its sources and run 'apt-get update'")
  return mirror
}
