import { createHash } from 'node:crypto'
import {
  createReadStream,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename, join, relative } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { withLock } from './lock.ts'
import { cacheFolder } from './paths.ts'
import { run } from './processes.ts'
import { type Log, timed } from './progress.ts'

/** An image as a docker-archive file in the cache. */
export type Archive = { reference: string; file: string }

/** The name with registry and tag, as containerd wants it: `mysql:9.7` is `docker.io/library/mysql:9.7`. */
export function fullReference(image: string): string {
  const tagged = /:[^/]+$/.test(image) ? image : `${image}:latest`
  const [first = '', ...rest] = tagged.split('/')
  if (rest.length === 0) return `docker.io/library/${tagged}`
  return /[.:]|^localhost$/.test(first) ? tagged : `docker.io/${tagged}`
}

/** The part of an image's configuration that a container is started with. */
export type ImageConfig = {
  Env?: string[]
  Entrypoint?: string[]
  Cmd?: string[]
  User?: string
  WorkingDir?: string
}

/**
 * An image from the cache, made first when the cache has none of this recipe; older ones of the same name go.
 * @param recipe all that the content depends on
 * @param make writes the archive into the file it is given
 * @param label what its file is called; of its own where the tag is all that sets the image apart from another one
 */
export async function cachedImage(
  log: Log,
  reference: string,
  recipe: string,
  make: (file: string) => Promise<void>,
  label = basename(reference).replace(/:.*/, ''),
): Promise<Archive> {
  const folder = join(cacheFolder, 'images')
  const hash = createHash('sha256').update(reference).update(recipe).digest('hex').slice(0, 16)
  const file = join(folder, `${label}.${hash}.tar`)
  if (existsSync(file)) return { reference, file }
  return withLock(`image ${folder} ${label}`, log, async () => {
    if (existsSync(file)) return { reference, file }
    mkdirSync(folder, { recursive: true })
    for (const old of globSync(`${label}.*`, { cwd: folder })) rmSync(join(folder, old), { recursive: true })
    // A name of its own: what a killed process started may still be writing under the former one.
    const partial = `${file}.${process.pid}`
    await timed(log, `image ${reference} made`, () => make(partial))
    renameSync(partial, file)
    return { reference, file }
  })
}

/** Wraps a root file system (a tar file, which is consumed) as an image in docker-archive form. */
export async function writeArchive(
  file: string,
  reference: string,
  rootfs: string,
  config: ImageConfig,
): Promise<void> {
  const digest = createHash('sha256')
  await pipeline(createReadStream(rootfs, { highWaterMark: 1 << 20 }), digest)
  const folder = mkdtempSync(`${file}.`)
  try {
    renameSync(rootfs, join(folder, 'layer.tar'))
    const image = {
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      os: 'linux',
      config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], ...config },
      rootfs: { type: 'layers', diff_ids: [`sha256:${digest.digest('hex')}`] },
      // Buildah cannot put a cached layer on an image whose history does not count its own.
      history: [{ created_by: 'root file system' }],
    }
    const manifest = [{ Config: 'config.json', RepoTags: [reference], Layers: ['layer.tar'] }]
    writeFileSync(join(folder, 'config.json'), JSON.stringify(image))
    writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest))
    await run('tar', ['-cf', file, '-C', folder, 'manifest.json', 'config.json', 'layer.tar'])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The image of the pods' sandbox container: our pause binary and nothing else. */
export function pauseArchive(log: Log, reference: string, binary: string): Promise<Archive> {
  // The folder of the binaries is named after their versions; where the cache lies changes nothing.
  return cachedImage(log, reference, relative(cacheFolder, binary), async (file) => {
    const rootfs = `${file}.rootfs`
    await run('tar', ['-cf', rootfs, '-C', join(binary, '..'), basename(binary)])
    await writeArchive(file, reference, rootfs, { Entrypoint: ['/pause'], User: '65535:65535' })
  })
}
