import { createHash } from 'node:crypto'
import {
  existsSync,
  globSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Bootstrap, bootstrap } from './debian.ts'
import { type Archive, cachedImage, writeArchive } from './images.ts'
import { withLock } from './lock.ts'
import { findCommand } from './packages.ts'
import { projectRoot } from './paths.ts'
import { run } from './processes.ts'
import type { Log } from './progress.ts'

/** The name under which the cluster has the operator. */
export const operatorImage = 'docker.io/library/mysql-operator:dev'

/** Whether this checkout has what the operator's image is built from. */
export function hasOperatorImage(): boolean {
  return existsSync(join(projectRoot, 'Dockerfile'))
}

/** The operator's image, built from the project's Dockerfile on a base made here; again when its sources changed. */
export async function operatorArchive(log: Log): Promise<Archive> {
  const base = await baseArchive(log)
  // Buildah's storage is the machine's: the name would be another checkout's image a moment later.
  return cachedImage(log, operatorImage, `${base.reference} ${sourcesHash()}`, (file) =>
    withLock('buildah', log, () => build(base, file)),
  )
}

/** Changes with everything that the image is made of. */
export function sourcesHash(): string {
  const hash = createHash('sha256')
  const patterns = ['Dockerfile', '.dockerignore', 'package*.json', 'tsconfig*.json', 'src/**']
  for (const file of globSync(patterns, { cwd: projectRoot }).sort()) {
    const path = join(projectRoot, file)
    if (statSync(path).isFile()) hash.update(file).update(readFileSync(path))
  }
  return hash.digest('hex')
}

/** Takes the place of the public Node image that the Dockerfile names: a Debian with node and npm. */
function baseArchive(log: Log): Promise<Archive> {
  const node = join(projectRoot, 'node_modules/node/bin/node')
  const npm = npmFolder()
  // With the npm of this machine; the paths of both are left out of what the image is known by.
  const recipe = (node: string, npm: string): Bootstrap => ({
    suite: 'bookworm',
    packages: [],
    hooks: [
      'mkdir -p "$1/usr/local/lib/node_modules"',
      `upload ${node} /usr/local/bin/node`,
      `copy-in ${npm} /usr/local/lib/node_modules`,
      'chmod 755 "$1/usr/local/bin/node"',
      'ln -s ../lib/node_modules/npm/bin/npm-cli.js "$1/usr/local/bin/npm"',
      'ln -s ../lib/node_modules/npm/bin/npx-cli.js "$1/usr/local/bin/npx"',
      'chroot "$1" groupadd --gid 1000 node',
      'chroot "$1" useradd --uid 1000 --gid 1000 --create-home --shell /bin/bash node',
      'rm -f "$1"/var/cache/apt/*.bin',
    ],
  })
  const versions = [join(projectRoot, 'node_modules/node'), npm].map((folder) =>
    readFileSync(join(folder, 'package.json'), 'utf8'),
  )
  const config = { Cmd: ['node'] }
  const content = JSON.stringify({ recipe: recipe('node', 'npm'), config, versions })
  // Buildah keeps images by name, so the name tells one content from another.
  const reference = `localhost/node-base:${createHash('sha256').update(content).digest('hex').slice(0, 12)}`
  return cachedImage(log, reference, content, async (file) => {
    const rootfs = `${file}.rootfs`
    await bootstrap(log, rootfs, recipe(node, npm))
    await writeArchive(file, reference, rootfs, config)
  })
}

function npmFolder(): string {
  const npm = findCommand('npm')
  if (!npm) throw new Error('npm is missing: install Node.js 20 or newer, which brings it')
  return join(realpathSync(npm), '../..')
}

async function build(base: Archive, file: string): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'mysql-operator-image-'))
  try {
    const known = await run('buildah', ['inspect', '--type=image', base.reference], { allowFailure: true })
    if (known.code !== 0) await run('buildah', ['pull', '--quiet', `docker-archive:${base.file}`])
    await run(
      'buildah',
      [
        ...['bud', '--layers', '--isolation=chroot', '--pull-never'],
        `--build-arg=NODE_IMAGE=${base.reference}`,
        ...(await registryMounts(scratch)).map((mount) => `--volume=${mount}:ro`),
        ...[`--tag=${operatorImage}`, '--file=Dockerfile', '.'],
      ],
      { cwd: projectRoot },
    )
    await run('buildah', ['push', '--quiet', operatorImage, `docker-archive:${file}:${operatorImage}`])
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/**
 * What npm needs inside the build to reach the registry as it does outside: its configuration and the machine's
 * certificate authorities. They are mounted, so that nothing of this machine stays in the image.
 */
async function registryMounts(scratch: string): Promise<string[]> {
  const setting = async (name: string) =>
    (await run('npm', ['config', 'get', name], { cwd: '/' })).stdout.trim()
  const extra = process.env.NODE_EXTRA_CA_CERTS ?? ''
  const defaults = join(scratch, 'npmrc')
  writeFileSync(defaults, existsSync(extra) ? `cafile=${extra}\n` : '')
  const cafile = await setting('cafile')
  const mounts = [
    [await setting('userconfig'), '/root/.npmrc'],
    [await setting('globalconfig'), '/usr/local/etc/npmrc'],
    [defaults, '/usr/local/lib/node_modules/npm/npmrc'],
    ...[...new Set([cafile, extra])].map((path) => [path, path]),
  ]
  return mounts.filter(([from]) => from && existsSync(from)).map((mount) => mount.join(':'))
}
