import { type Bootstrap, bootstrap } from './debian.ts'
import { type Archive, cachedImage, writeArchive } from './images.ts'
import type { Log } from './progress.ts'

/** The name under which the cluster has MySQL: that of the official image, whose layout it copies. */
export const mysqlImage = 'docker.io/library/mysql:9.7'

const configuration = `[mysqld]
skip-name-resolve
datadir=/var/lib/mysql
socket=/var/run/mysqld/mysqld.sock
secure-file-priv=/var/lib/mysql-files
user=mysql
pid-file=/var/run/mysqld/mysqld.pid
[client]
socket=/var/run/mysqld/mysqld.sock
!includedir /etc/mysql/conf.d/
`

/** Hooks that give a root file system the user, the folders and the configuration of the official image. */
export const officialLayout = [
  'chroot "$1" groupadd --gid 999 mysql',
  'chroot "$1" useradd --uid 999 --gid 999 --home-dir /var/lib/mysql --no-create-home --shell /bin/bash mysql',
  'chroot "$1" install -d -o mysql -g mysql -m 1777 /var/lib/mysql /var/run/mysqld',
  'chroot "$1" install -d -o mysql -g mysql -m 0750 /var/lib/mysql-files',
  // Debian's own defaults differ from those of the official image.
  'rm -f "$1"/etc/mysql/my.cnf "$1"/etc/mysql/conf.d/* "$1"/var/cache/apt/*.bin',
  `cat > "$1/etc/my.cnf" <<'END'\n${configuration}END\n`,
  'chmod 644 "$1/etc/my.cnf"',
]

const recipe: Bootstrap = {
  // Debian's only suite with a MySQL; its other suites have MariaDB.
  suite: 'sid',
  packages: ['mysql-server-core', 'mysql-client', 'passwd'],
  hooks: officialLayout,
}

/** MySQL 9.7, whole with its clients. */
export function mysqlArchive(log: Log): Promise<Archive> {
  return cachedImage(log, mysqlImage, JSON.stringify(recipe), async (file) => {
    const rootfs = `${file}.rootfs`
    await bootstrap(log, rootfs, recipe)
    await writeArchive(file, mysqlImage, rootfs, { Cmd: ['mysqld'] })
  })
}
