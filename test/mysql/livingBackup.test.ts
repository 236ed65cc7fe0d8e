/** Dumps of a server that goes on living: it takes writes, and older dumps make room. */
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { backupResult, failureOf } from '../../src/desired/results.ts'
import { until } from './container.ts'
import { Instance } from './instance.ts'

const scheduled = { scheduledFor: '2026-01-02T03:04:05Z' }

let db: Instance
beforeAll(async () => {
  db = await Instance.create({ database: 'otus-database' })
  await db.startNew()
})
beforeEach(async () => {
  await db.reset()
  expect((await db.restore()).code).toBe(0)
})
afterAll(() => db.remove())

const files = () => readdirSync(db.backups).sort()
const write = () =>
  db.query('CREATE TABLE IF NOT EXISTS t (i INT); INSERT INTO t VALUES (1)', 'ali', 'user-password', [
    'otus-database',
  ])
const bigTable = () =>
  db.ask(`USE \`otus-database\`; DROP TABLE IF EXISTS big;
    CREATE TABLE big (id INT PRIMARY KEY AUTO_INCREMENT, x VARBINARY(2000));
    INSERT INTO big (x) SELECT RANDOM_BYTES(1000) FROM information_schema.columns a LIMIT 3000;
    INSERT INTO big (x) SELECT x FROM big; INSERT INTO big (x) SELECT x FROM big;`)
const someOfTheDump = () => until('some of the dump', () => files().some((file) => file.endsWith('.partial')))

test('the server takes writes while a dump of the schedule is made, and afterwards', async () => {
  await bigTable()
  const running = db.backingUp(scheduled)
  await someOfTheDump()
  expect((await write()).stderr).not.toContain('ERROR')
  const { code, report } = await running.ended
  expect([code, backupResult(report)?.incomplete]).toEqual([0, []])
  expect((await write()).stderr).not.toContain('ERROR')
})

test('a stored program that is made and dropped while the dump is made could be in it unseen: no dump', async () => {
  await bigTable()
  const running = db.backingUp(scheduled)
  await someOfTheDump()
  await db.ask('USE `otus-database`; CREATE PROCEDURE p () SELECT 1; DROP PROCEDURE p')
  const { code, report } = await running.ended
  expect([code, failureOf(report)]).toEqual([1, expect.stringContaining('made or altered while')])
  expect(files().filter((file) => !file.endsWith('.partial'))).toEqual([])
})

/** Puts a dump there as the script leaves it. */
const put = (base: string, record: string) => {
  for (const [end, text] of [
    ['sql.gz', 'x'],
    ['accounts.sql.gz', 'y'],
    ['json', record],
  ] as const)
    writeFileSync(join(db.backups, `${base}.${end}`), text)
}
const recordOf = (base: string, ownerUid: string) =>
  `{"file":"${base}.sql.gz","sha256":"00","bytes":1,"tables":0,"version":"9.7.4","start":"a","end":"b","ownerUid":"${ownerUid}","incomplete":["x.\\"v"]}\n`
const former = '00000000-1111-2222-3333-444444444444'

test('after a good dump the newest of this resource stay, and all that is not known to be its own', async () => {
  db.mysql = { ...db.mysql, spec: { ...db.mysql.spec, backup: { ...db.mysql.spec.backup, keep: 2 } } }
  const own = db.mysql.metadata.uid ?? ''
  const mine = ['shop-20250101T000000Z', 'shop-20250102T000000Z', 'shop-20250103T000000Z']
  for (const base of mine) put(base, recordOf(base, own))
  // Clocks of nodes differ: this is not newer than the one that is about to be made.
  put('shop-20990101T000000Z', recordOf('shop-20990101T000000Z', own))
  const others = ['shop-20240101T000000Z', 'shop-20240102T000000Z']
  for (const base of others) put(base, recordOf(base, former))
  put('shop-20230101T000000Z', '{"file":"shop-20230101T000000Z.sql.gz","ownerUid":')
  put('shop-20220101T000000Z', recordOf('shop-20210101T000000Z', own))
  put('shop-2-20220101T000000Z', recordOf('shop-2-20220101T000000Z', own))
  put('by-hand', recordOf('by-hand', own))
  writeFileSync(join(db.backups, 'shop-20210101T000000Z.sql.gz'), 'without a record')

  const { code, report, stdout } = await db.backup(scheduled)
  expect(code, stdout).toBe(0)
  const file = backupResult(report)?.file ?? ''
  const left = files().filter((name) => name.endsWith('.sql.gz') && !name.endsWith('.accounts.sql.gz'))
  expect(left).toEqual(
    [
      file,
      'shop-20990101T000000Z.sql.gz',
      ...others.map((base) => `${base}.sql.gz`),
      'shop-20230101T000000Z.sql.gz',
      'shop-20220101T000000Z.sql.gz',
      'shop-2-20220101T000000Z.sql.gz',
      'shop-20210101T000000Z.sql.gz',
      'by-hand.sql.gz',
    ].sort(),
  )
  for (const base of mine) expect(files().filter((name) => name.startsWith(base))).toEqual([])
})

test('a dump that fails makes no room for itself', async () => {
  const own = db.mysql.metadata.uid ?? ''
  const mine = Array.from({ length: 9 }, (_, i) => `shop-2025010${i + 1}T000000Z`)
  for (const base of mine) put(base, recordOf(base, own))
  const before = files()
  await bigTable()
  const { code } = await db.shell('ulimit -f 200; exec bash /etc/mysql-operator/config/backup.sh').ended
  expect(code).not.toBe(0)
  expect(files().filter((file) => !file.endsWith('.partial'))).toEqual(before)
})
