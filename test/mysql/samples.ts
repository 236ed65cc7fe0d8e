import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { withLock } from '../cluster/lock.ts'
import { cacheFolder } from '../cluster/paths.ts'
import { run } from '../cluster/processes.ts'
import { progressLog } from '../cluster/progress.ts'

/** Databases that nobody here wrote: Zabbix's schema with its data, and sysbench with what it links to. */
const packages = [
  'zabbix-server-mysql',
  'sysbench',
  'libaio1',
  'libluajit2-5.1-2',
  'libluajit2-5.1-common',
  'libmariadb3',
]

/** The files of those Debian packages, unpacked in the cache; nothing is installed. */
const unpacked = async (): Promise<string> => {
  const folder = join(cacheFolder, 'samples')
  const log = progressLog()
  if (existsSync(folder)) return folder
  return withLock(`samples ${folder}`, log, async () => {
    if (existsSync(folder)) return folder
    const partial = `${folder}.partial`
    rmSync(partial, { recursive: true, force: true })
    mkdirSync(join(partial, 'packages'), { recursive: true })
    const download = ['download', '-q', '-o', 'APT::Sandbox::User=root', ...packages]
    const options = { cwd: join(partial, 'packages') }
    await run('apt-get', download, options).catch(async () => {
      await run('apt-get', ['update', '-q'])
      await run('apt-get', download, options)
    })
    for (const file of globSync('*.deb', options))
      await run('dpkg-deb', ['-x', join(options.cwd, file), partial])
    rmSync(options.cwd, { recursive: true })
    renameSync(partial, folder)
    return folder
  })
}

/** Zabbix's tables, triggers, images and templates, as SQL for an empty database. */
export const zabbix = async (): Promise<string> => {
  const folder = join(await unpacked(), 'usr/share/zabbix-server-mysql')
  const parts = ['schema', 'images', 'data'].map((name) => readFileSync(join(folder, `${name}.sql.gz`)))
  return parts.map((part) => gunzipSync(part).toString()).join('\n')
}

/** The command line of sysbench with one of its own scripts, such as `oltp_read_write`. */
export const sysbench = async (script: string, args: string[]): Promise<string[]> => {
  const folder = await unpacked()
  const [libraries = ''] = globSync(join(folder, 'usr/lib/*-linux-gnu'))
  const scripts = join(folder, 'usr/share/sysbench')
  const environment = [
    `LD_LIBRARY_PATH=${[libraries, libraries.replace('/usr/lib/', '/lib/')].join(delimiter)}`,
    `MARIADB_PLUGIN_DIR=${join(libraries, 'libmariadb3/plugin')}`,
    `LUA_PATH=${scripts}/?.lua`,
  ]
  return ['env', ...environment, join(folder, 'usr/bin/sysbench'), join(scripts, `${script}.lua`), ...args]
}
