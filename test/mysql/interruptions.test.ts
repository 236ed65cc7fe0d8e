/**
 * A dump that is stopped at a known point. A program of the pod is replaced by one that comes to that point and waits there,
 * so that nothing depends on how fast this machine is.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { backupResult, failureOf, restoreResult } from '../../src/desired/results.ts'
import { run } from '../cluster/processes.ts'
import { type Container, until, volumeFolder } from './container.ts'
import { Instance } from './instance.ts'

let db: Instance
/** The last good dump, what was in it, and how long its SQL is. */
let older: string
let content: Buffer
let length: number

beforeAll(async () => {
  db = await Instance.create({ database: 'shop' })
  await db.startNew()
  expect((await db.restore({ from: 'none' })).code).toBe(0)
  await db.ask(`CREATE USER app IDENTIFIED BY 'x'; CREATE TABLE shop.noise (id INT PRIMARY KEY AUTO_INCREMENT, x VARBINARY(1000));
    INSERT INTO shop.noise (x) SELECT RANDOM_BYTES(1000) FROM information_schema.columns LIMIT 2000`)
  older = backupResult((await db.backup()).report)?.file ?? ''
  content = readFileSync(join(db.backups, older))
  length = gunzipSync(content).length
})
beforeEach(() => db.ask('SET GLOBAL read_only = OFF'))
afterAll(() => db.remove())

const files = (ending: string) => readdirSync(db.backups).filter((file) => file.endsWith(ending))
const mark = 'it waits here'

/** A backup with a shell script in place of a program. */
const backupWith = (program: string, script: string): Container =>
  db.shell(`mkdir /tmp/bin; printf '%s\\n' '#!/bin/bash' '${script}' > /tmp/bin/${program}; chmod +x /tmp/bin/${program}
    PATH=/tmp/bin:$PATH exec bash /etc/mysql-operator/config/backup.sh`)

/** Takes that part of the SQL, and the rest only when it is let. */
const stopsAfter = (part: number) =>
  backupWith(
    'gzip',
    `(($# == 0)) || exec /usr/bin/gzip "$@"
    { head -c ${Math.floor(length * part)}; echo "${mark}" >&2; until [[ -e /tmp/go ]]; do sleep 0.1; done; cat; } | /usr/bin/gzip`,
  )
const stopsBeforeRenaming = (ending: string) =>
  backupWith('mv', `[[ $* != *${ending} ]] || { echo "${mark}" >&2; sleep 1000; }; exec /usr/bin/mv "$@"`)

const stopped = (running: Container) =>
  until('the known point', () => {
    if (running.hasEnded) throw new Error(`it has ended before: ${running.output}`)
    return running.output.includes(mark)
  })

const expectOnlyTheOlder = () => {
  expect(files('.json')).toEqual([older.replace('.sql.gz', '.json')])
  expect(readFileSync(join(db.backups, older)).equals(content)).toBe(true)
}

const restoring = async (from: string) => {
  await db.ask("SET GLOBAL read_only = OFF; UPDATE mysql_operator.instance SET state = 'pending'")
  const { report } = await db.restore({ from })
  await db.ask("UPDATE mysql_operator.instance SET state = 'done'")
  return report
}

test.each([
  ['at 10 % of the dump', () => stopsAfter(0.1), 1],
  ['at 50 % of the dump', () => stopsAfter(0.5), 1],
  ['at 90 % of the dump', () => stopsAfter(0.9), 1],
  ['before the accounts get their name', () => stopsBeforeRenaming('.accounts.sql.gz'), 3],
  ['before the dump gets its name', () => stopsBeforeRenaming('Z.sql.gz'), 2],
])('killed %s it says no success, and what it left cannot be restored', async (_, start, left) => {
  const running = start()
  await stopped(running)
  const { code, report } = await running.stop('SIGKILL')
  expect(code).not.toBe(0)
  expect(report).toBe('')
  expectOnlyTheOlder()
  expect(files('Z.sql.gz')).toEqual([older])
  expect(files('.partial')).toHaveLength(left)
  for (const file of files('.partial').slice(0, 1))
    expect(failureOf(await restoring(file))).toContain(`${file} cannot be used: it was never finished`)
})

test('killed before its record gets its name it is no dump for `latest`, and the next run works', async () => {
  const running = stopsBeforeRenaming('.json')
  await stopped(running)
  const { report } = await running.stop('SIGKILL')
  expect(report).toBe('')
  expectOnlyTheOlder()
  expect(restoreResult(await restoring('latest'))?.from).toBe(older)

  const next = backupResult((await db.backup()).report)
  expect(files('.partial')).toEqual([])
  expect(files('.json')).toHaveLength(2)
  expect(restoreResult(await restoring('latest'))?.from).toBe(next?.file)
  for (const ending of ['.sql.gz', '.accounts.sql.gz', '.json'])
    await run('rm', [join(db.backups, (next?.file ?? '').replace('.sql.gz', ending))])
})

test('with the network cut it goes on waiting, and at the Job’s deadline it says no success', async () => {
  const running = stopsAfter(0.5)
  await stopped(running)
  const network = (state: string) => db.inside(['ip', 'link', 'set', 'lo', state])
  const [command = '', ...down] = network('down')
  await run(command, down)
  await running.exec(['touch', '/tmp/go'])
  expect(running.hasEnded).toBe(false)
  const { code, report } = await running.stop('SIGTERM')
  const [, ...up] = network('up')
  await run(command, up)
  expect(code).not.toBe(0)
  expect(backupResult(report)).toBeUndefined()
  expectOnlyTheOlder()
})

test('a full volume makes it fail with the reason, and with room it works again', async () => {
  const saved = mkdtempSync(join(tmpdir(), 'mysql-operator-dumps-'))
  cpSync(db.backups, saved, { recursive: true })
  const room = Buffer.byteLength(content) + 1_000_000
  await run('mount', ['-t', 'tmpfs', '-o', `size=${room}`, 'full', db.backups])
  try {
    for (const ending of ['.sql.gz', '.json'])
      cpSync(
        join(saved, older.replace('.sql.gz', ending)),
        join(db.backups, older.replace('.sql.gz', ending)),
      )
    volumeFolder(db.backups)
    const { code, report, stderr } = await db.backup()
    expect(code).toBe(1)
    expect(stderr).toContain('No space left on device')
    expect(failureOf(report)).toContain('is the backup volume full?')
    expectOnlyTheOlder()
    await run('mount', ['-o', 'remount,size=64m', db.backups])
    expect(backupResult((await db.backup()).report)?.file).toMatch(/^shop-.*gz$/)
    expect(files('.json')).toHaveLength(2)
    expect(files('.partial')).toEqual([])
  } finally {
    await run('umount', [db.backups])
    await run('rm', ['-r', saved])
  }
})
