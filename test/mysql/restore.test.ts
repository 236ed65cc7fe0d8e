import { createHash } from 'node:crypto'
import { chmodSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { restoreJob } from '../../src/desired/jobs/restore.ts'
import { failureOf, restoreResult } from '../../src/desired/results.ts'
import { until } from './container.ts'
import { Instance } from './instance.ts'

let db: Instance
beforeAll(async () => {
  db = await Instance.create({ database: 'otus-database' })
  await db.startNew()
})
beforeEach(() => db.reset())
afterAll(() => db.remove())

const name = 'shop'
const ending = '-- Dump completed on 2026-01-01  1:02:03\n'
const tableOf = (row: number) =>
  `CREATE TABLE test (id INT PRIMARY KEY);\nINSERT INTO test VALUES (${row});\n`

const writeOldDump = (row: number, text = tableOf(row) + ending) =>
  writeFileSync(join(db.backups, `${name}-dump.sql`), text)

/** A dump as backup.sh leaves it, made by hand; `flaw` makes one that must not be taken. */
const writeDump = (stamp: string, row: number, flaw?: 'sum' | 'size' | 'end' | 'gzip' | 'record') => {
  const sql = `CREATE DATABASE \`otus-database\`;\nUSE \`otus-database\`;\n${tableOf(row)}${flaw === 'end' ? '' : ending}`
  const whole = gzipSync(sql)
  const bytes = flaw === 'gzip' ? whole.subarray(0, -9) : whole
  const sha256 = createHash('sha256')
    .update(flaw === 'sum' ? 'other' : bytes)
    .digest('hex')
  const file = `${name}-${stamp}.sql.gz`
  writeFileSync(join(db.backups, file), bytes)
  const record = { file, sha256, bytes: bytes.length + (flaw === 'size' ? 1 : 0), tables: 1 }
  if (flaw !== 'record')
    writeFileSync(join(db.backups, `${name}-${stamp}.json`), `${JSON.stringify(record)}\n`)
  return file
}

const row = () => db.ask('SELECT id FROM `otus-database`.test')
const state = () => db.ask('SELECT state FROM mysql_operator.instance')

test('without any dump the database and its accounts are made, and clients let in', async () => {
  const { code, report, stdout, stderr } = await db.restore()
  expect(stderr + stdout).not.toContain('failed:')
  expect(code).toBe(0)
  expect(restoreResult(report)).toMatchObject({ from: null, tables: 0, already: false })
  expect(await db.ready()).toBe(true)
  expect(await db.mayLogIn('root', 'root-password')).toBe(true)
  expect(await db.mayLogIn('root', 'wrong')).toBe(false)
  const own = await db.query('CREATE TABLE t (i INT); SHOW TABLES', 'ali', 'user-password', ['otus-database'])
  expect(own.stdout).toBe('t\n')
  const foreign = await db.query('CREATE DATABASE mine', 'ali', 'user-password')
  expect(foreign.stderr).toContain('Access denied')
  const root = await db.query('CREATE USER x IDENTIFIED BY "y"; SHOW GRANTS', 'root', 'root-password')
  expect(root.stdout).toContain('WITH GRANT OPTION')
})

test('without a password for the account only root is made', async () => {
  expect((await db.restore({ user: false })).code).toBe(0)
  expect(await db.ask("SELECT COUNT(*) FROM mysql.user WHERE user = 'ali'")).toBe('0')
  expect(await db.mayLogIn('root', 'root-password')).toBe(true)
})

test('an underscore in the database’s name stands for itself in the account’s rights', async () => {
  const other = { ...db.mysql, spec: { ...db.mysql.spec, database: 'a_b' } }
  const { code } = await db.job(restoreJob(other, { claimUid: db.claimUid, ...db.credentials })).ended
  expect(code).toBe(0)
  await db.ask('CREATE DATABASE axb')
  expect((await db.query('CREATE TABLE t (i INT)', 'ali', 'user-password', ['a_b'])).code).toBe(0)
  expect((await db.query('SELECT 1', 'ali', 'user-password', ['axb'])).stderr).toContain('Access denied')
})

test('the newest dump is taken, by the time in its name', async () => {
  writeDump('20260102T000000Z', 2)
  const newest = writeDump('20260103T000000Z', 3)
  writeDump('20260101T000000Z', 1)
  writeOldDump(0)
  utimesSync(join(db.backups, `${name}-dump.sql`), 0, 0)
  expect(restoreResult((await db.restore()).report)?.from).toBe(newest)
  expect(await row()).toBe('3')
  expect(await db.ask('SELECT restored_from FROM mysql_operator.instance')).toBe(newest)
})

test('the dump of an older operator goes into the database', async () => {
  const mode = "/*!50003 SET sql_mode              = 'STRICT_TRANS_TABLES,NO_AUTO_CREATE_USER' */ ;\n"
  const trigger =
    'DELIMITER ;;\n/*!50003 CREATE TRIGGER t1 BEFORE INSERT ON test FOR EACH ROW SET NEW.id = 1 */;;\nDELIMITER ;\n'
  writeOldDump(5, `${tableOf(5)}${mode}${trigger}${ending}`)
  const { report, stderr } = await db.restore()
  expect(stderr).toBe('')
  expect(restoreResult(report)).toMatchObject({ from: `${name}-dump.sql`, tables: 1 })
  expect(await row()).toBe('5')
  expect((await db.query('SELECT id FROM test', 'ali', 'user-password', ['otus-database'])).stdout).toBe(
    '5\n',
  )
})

test.each(['sum', 'size', 'end', 'gzip', 'record'] as const)(
  'a newer dump with a flaw (%s) is passed over for the newest good one',
  async (flaw) => {
    const good = writeDump('20260101T000000Z', 1)
    const bad = writeDump('20260102T000000Z', 2, flaw)
    const { report, stdout } = await db.restore()
    expect(stdout).toContain(`not ${bad}: it`)
    expect(restoreResult(report)?.from).toBe(good)
    expect(await row()).toBe('1')
  },
)

test('dumps of which none is good keep the database closed, and a good one put there opens it', async () => {
  writeDump('20260102T000000Z', 2, 'gzip')
  writeOldDump(0, '')
  const { code, report } = await db.restore()
  expect(code).toBe(1)
  expect(failureOf(report)).toMatch(/^no dump can be used: put a good one there, or take these 2 files away/)
  expect(failureOf(report)).toContain(`${name}-dump.sql: it does not end with`)
  expect(await state()).toBe('pending')
  expect(await db.ready()).toBe(false)
  writeDump('20260101T000000Z', 1)
  expect((await db.restore()).code).toBe(0)
  expect(await row()).toBe('1')
})

test('a backup volume that cannot be read is not taken for an empty one', async () => {
  writeDump('20260101T000000Z', 1)
  chmodSync(db.backups, 0)
  const { report } = await db.restore()
  expect(failureOf(report)).toContain('cannot be read')
  expect(await state()).toBe('pending')
})

test('"none" starts empty although there is a dump', async () => {
  writeDump('20260101T000000Z', 1)
  expect(restoreResult((await db.restore({ from: 'none' })).report)?.from).toBeNull()
  expect(await db.ask('SHOW TABLES FROM `otus-database`')).toBe('')
})

test('a dump can be named, and one that is missing is an error', async () => {
  const wanted = writeDump('20260101T000000Z', 1)
  writeDump('20260102T000000Z', 2)
  const missing = await db.restore({ from: 'missing.sql.gz' })
  expect(failureOf(missing.report)).toContain('there is no missing.sql.gz')
  expect(await state()).toBe('pending')
  expect(restoreResult((await db.restore({ from: wanted })).report)?.from).toBe(wanted)
  expect(await row()).toBe('1')
})

test('run again after it finished it changes nothing', async () => {
  writeDump('20260101T000000Z', 1)
  await db.restore()
  await db.ask('UPDATE `otus-database`.test SET id = 100')
  db.setPassword('root', 'not yet')
  const { report } = await db.restore()
  expect(restoreResult(report)).toMatchObject({ from: `${name}-20260101T000000Z.sql.gz`, already: true })
  expect(await row()).toBe('100')
  expect(await db.mayLogIn('root', 'root-password')).toBe(true)
})

test('killed while it loads it starts again from the beginning', async () => {
  const first = `CREATE TABLE first (i INT);\nINSERT INTO first VALUES (1);\nDO SLEEP(30);\n`
  writeOldDump(0, `${first}${ending}`)
  const killed = db.restoring()
  const hasFirst = async () =>
    (await db.operatorQuery('SELECT i FROM `otus-database`.first')).stdout === '1\n'
  await until('the first row', hasFirst)
  await killed.stop('SIGKILL')
  expect(await state()).toBe('pending')
  expect(await db.ready()).toBe(false)
  await db.ask('CREATE DATABASE `left``over`')
  writeOldDump(6)
  const { report, stdout, stderr } = await db.restore()
  expect(stderr + stdout).not.toContain('failed:')
  expect(restoreResult(report)?.tables).toBe(1)
  expect(await db.ask('SHOW TABLES FROM `otus-database`')).toBe('test')
  expect(await db.ask("SHOW DATABASES LIKE 'left%'")).toBe('')
  expect(await row()).toBe('6')
})

test('a statement that fails keeps the database closed', async () => {
  writeOldDump(0, `CREATE TABLE test (i NOSUCHTYPE);\n${ending}`)
  const { report } = await db.restore()
  expect(failureOf(report)).toContain(`${name}-dump.sql could not be loaded`)
  expect(await state()).toBe('pending')
})

test('commands of the client in a dump are not run', async () => {
  writeOldDump(7, `${tableOf(7)}\\! touch /backup-${name}-pv/pwned\n${ending}`)
  await db.restore()
  expect(readdirSync(db.backups)).toEqual([`${name}-dump.sql`])
})

test('another volume’s server is not touched', async () => {
  const inputs = { claimUid: '00000000-0000-0000-0000-000000000000', ...db.credentials }
  const { report } = await db.job(restoreJob(db.mysql, inputs)).ended
  expect(failureOf(report)).toContain('runs on another volume')
  expect(await state()).toBe('pending')
})

test('it waits for a server that is not there yet', async () => {
  await db.stopServer()
  const waiting = db.restoring()
  await until('it to wait', () => waiting.output.includes('waiting for'))
  await db.start()
  const { code } = await waiting.ended
  expect(code).toBe(0)
  expect(await db.ready()).toBe(true)
})

test('two restores never work at once: the second waits for the first', async () => {
  const events: string[] = []
  const lock = "SELECT GET_LOCK('mysql_operator.restore', 0); SELECT SLEEP(4)"
  const first = db.operatorQuery(lock).then(() => events.push('first'))
  await until('the lock', async () => (await db.ask("SELECT IS_FREE_LOCK('mysql_operator.restore')")) === '0')
  const second = db.restore().then(() => events.push('second'))
  await Promise.all([first, second])
  expect(events).toEqual(['first', 'second'])
  expect(await db.ready()).toBe(true)
})
