import { existsSync, globSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { withLock } from '../cluster/lock.ts'
import { ownArchive } from '../cluster/ownimages.ts'
import { cacheFolder } from '../cluster/paths.ts'
import { run } from '../cluster/processes.ts'
import { progressLog } from '../cluster/progress.ts'

/**
 * The image that the tests' resources name: one that the project makes itself. With `MYSQL_ROOTFS`, a folder, the name
 * says what is in it.
 */
export const mysqlImage = process.env.MYSQL_IMAGE || 'mysql:9.7'

/**
 * The root file system of the MySQL image that the cluster uses as well, unpacked beside it in the cache, so that
 * scripts can be tried on a real server in seconds.
 */
export const mysqlRootfs = async (): Promise<string> => {
  if (process.env.MYSQL_ROOTFS) return process.env.MYSQL_ROOTFS
  const log = progressLog()
  const archive = await ownArchive(mysqlImage, log)
  if (!archive)
    throw new Error(`MYSQL_IMAGE=${mysqlImage} is not made here: unpack it, and give MYSQL_ROOTFS`)
  const { file } = archive
  const folder = join(cacheFolder, 'rootfs')
  const rootfs = join(folder, basename(file, '.tar'))
  if (existsSync(rootfs)) return rootfs
  return withLock(`rootfs ${rootfs}`, log, async () => {
    if (existsSync(rootfs)) return rootfs
    const olderOnes = `${basename(file).replace(/\.[^.]+\.tar$/, '')}.*`
    for (const old of globSync(olderOnes, { cwd: folder })) rmSync(join(folder, old), { recursive: true })
    const partial = `${rootfs}.partial`
    mkdirSync(join(partial, 'root'), { recursive: true })
    await run('tar', ['-xf', file, '-C', partial, 'layer.tar'])
    await run('tar', ['-xf', join(partial, 'layer.tar'), '-C', join(partial, 'root')])
    renameSync(join(partial, 'root'), rootfs)
    rmSync(partial, { recursive: true })
    return rootfs
  })
}
