import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Archive, fullReference } from './images.ts'
import { findMachine, type Machine } from './machine.ts'
import { ctr } from './node.ts'
import { ownArchive } from './ownimages.ts'
import { stateFolder } from './paths.ts'
import { run } from './processes.ts'
import { type Log, timed } from './progress.ts'

/**
 * Puts an image into a cluster: the path of a docker-archive, or the name of an image. The two images that the
 * project makes itself are made again first when their sources changed; any other comes out of buildah's storage.
 */
export async function load(name: string, image: string, log: Log): Promise<void> {
  const machine = machineOf(name)
  const reference = fullReference(image)
  if (existsSync(image)) {
    await timed(log, `${image} loaded`, () => importArchive(machine, { reference, file: image }))
    return
  }
  const own = await ownArchive(image, log)
  if (own) await importImage(name, own, log)
  else await timed(log, `${reference} loaded`, () => importFromBuildah(machine, reference))
}

/** Imports an image that the cluster does not have yet. */
export async function importImage(name: string, archive: Archive, log: Log): Promise<void> {
  const record = join(stateFolder(name), 'images.json')
  const loaded = existsSync(record) ? JSON.parse(readFileSync(record, 'utf8')) : {}
  if (loaded[archive.reference] === archive.file) return
  await timed(log, `${archive.reference} loaded`, () => importArchive(machineOf(name), archive))
  writeFileSync(record, JSON.stringify({ ...loaded, [archive.reference]: archive.file }))
}

/** Gives an image that the cluster has a second name. */
export async function tag(name: string, image: string, as: string): Promise<void> {
  await ctr(machineOf(name), ['images', 'tag', '--force', fullReference(image), fullReference(as)])
}

/** Imports a docker-archive into containerd. */
export async function importArchive(machine: Machine, { file }: Archive): Promise<void> {
  await ctr(machine, ['images', 'import', file])
}

async function importFromBuildah(machine: Machine, reference: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'mysql-operator-load-'))
  const file = join(folder, 'image.tar')
  try {
    await run('buildah', ['push', '--quiet', reference, `docker-archive:${file}:${reference}`])
    await importArchive(machine, { reference, file })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function machineOf(name: string): Machine {
  const machine = findMachine(stateFolder(name))
  if (!machine)
    throw new Error(`cluster ${name} is not up: start it with 'npm run cluster -- up --name ${name}'`)
  return machine
}
