import { join, resolve } from 'node:path'

/** The folder of the checkout. */
export const projectRoot = resolve(import.meta.dirname, '../..')

/** Where binaries and images are kept between runs; `MYSQL_OPERATOR_CACHE` moves it out of the checkout. */
export const cacheFolder = resolve(process.env.MYSQL_OPERATOR_CACHE || join(projectRoot, '.cache'))

/** Everything one cluster keeps on disk. Not on /run: images need more room than a tmpfs has. */
export function stateFolder(name: string): string {
  return `/var/lib/mysql-operator-clusters/${name}`
}

/** The cgroup, in every hierarchy, under which the pods of one cluster run. */
export function cgroupName(name: string): string {
  return `mysql-operator-${name}`
}
