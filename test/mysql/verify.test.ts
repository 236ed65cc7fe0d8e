/** A dump is proven by a server that it is restored into, and a bad one is never offered again. */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { backupResult, failureOf, restoreResult, verifyResult } from '../../src/desired/results.ts'
import { Instance } from './instance.ts'

let db: Instance
let file: string
beforeAll(async () => {
  db = await Instance.create({ database: 'shop' })
  await db.startNew()
  expect((await db.restore({ from: 'none' })).code).toBe(0)
  await db.ask(`CREATE TABLE shop.t (id INT PRIMARY KEY, x VARCHAR(99)); INSERT INTO shop.t VALUES (1, 'one'), (2, 'two');
    CREATE TABLE shop.\`odd \`\`name\` (i INT) ENGINE=MyISAM; CREATE VIEW shop.v AS SELECT x FROM shop.t`)
  file = backupResult((await db.backup()).report)?.file ?? ''
  await db.ask('SET GLOBAL read_only = OFF')
})
afterAll(() => db.remove())

const path = (name: string) => join(db.backups, name)
const beside = (extension: string) => path(file.replace('.sql.gz', extension))
const keep = (work: () => Promise<void>) => async () => {
  const original = readFileSync(path(file))
  const record = readFileSync(beside('.json'))
  await work().finally(() => {
    writeFileSync(path(file), original)
    writeFileSync(beside('.json'), record)
    rmSync(beside('.bad'), { force: true })
  })
}

/** The dump with another content, as if backup.sh had written it so: the record fits. */
const rewrite = (change: (sql: string) => string) => {
  const whole = gzipSync(change(gunzipSync(readFileSync(path(file))).toString('latin1')))
  const sha256 = createHash('sha256').update(whole).digest('hex')
  const record = { ...JSON.parse(readFileSync(beside('.json'), 'utf8')), sha256, bytes: whole.length }
  writeFileSync(path(file), whole)
  writeFileSync(beside('.json'), JSON.stringify(record))
}

test('a good dump is restored by a server of the Job’s own, and nothing on the volume changes', async () => {
  const before = readdirSync(db.backups)
  const { code, report, stdout, stderr } = await db.verify()
  expect(stdout + stderr).not.toContain('failed:')
  expect(code).toBe(0)
  const version = (await db.ask('SELECT VERSION()')).replace(/-.*/, '')
  expect(verifyResult(report)).toEqual({ file, tables: 2, version, flaw: null })
  expect(readdirSync(db.backups)).toEqual(before)
})

test(
  'one corrupted byte: the dump is bad, kept, not offered as latest, and refused by name until the mark is taken away',
  keep(async () => {
    const bytes = readFileSync(path(file))
    const middle = bytes.length >> 1
    bytes.writeUInt8((bytes[middle] ?? 0) ^ 1, middle)
    writeFileSync(path(file), bytes)
    const { code, report } = await db.verify(file)
    expect(code).toBe(3)
    expect(verifyResult(report)).toMatchObject({
      file,
      flaw: expect.stringContaining('its sha256 is not the one'),
    })
    expect(readFileSync(path(file)).equals(bytes)).toBe(true)
    expect(existsSync(beside('.json'))).toBe(false)
    expect(readFileSync(beside('.bad'), 'utf8')).toMatch(/^{"file":.*}\n.*its sha256 is not the one.*\n$/)

    await db.ask("UPDATE mysql_operator.instance SET state = 'pending'")
    const latest = await db.restore()
    expect(failureOf(latest.report)).toContain(`${file}: its verification failed: its sha256`)
    const named = await db.restore({ from: file })
    expect(failureOf(named.report)).toContain('its verification failed: its sha256')
    expect(failureOf(named.report)).toContain(`delete ${file.replace('.sql.gz', '.bad')}`)
    await db.ask("UPDATE mysql_operator.instance SET state = 'done'")
  }),
)

test(
  'an older good dump is restored in place of one whose verification failed',
  keep(async () => {
    const older = 'shop-20200101T000000Z.sql.gz'
    writeFileSync(path(older), readFileSync(path(file)))
    writeFileSync(path(older.replace('.sql.gz', '.json')), readFileSync(beside('.json')))
    renameSync(beside('.json'), beside('.bad'))
    await db.ask("UPDATE mysql_operator.instance SET state = 'pending'")
    const { report, stdout } = await db.restore()
    expect(stdout).toContain(`not ${file}: its verification failed: the reason could not be kept`)
    expect(restoreResult(report)).toMatchObject({ from: older, tables: 2 })
    expect(await db.ask('SELECT COUNT(*) FROM shop.t')).toBe('2')
    for (const name of [older, older.replace('.sql.gz', '.json')]) rmSync(path(name))
  }),
)

test.each([
  [
    'a statement that no server takes',
    (sql: string) => sql.replace('ENGINE=MyISAM', 'ENGINE'),
    /^it cannot be loaded: ERROR 1064 \(42000\) at line \d+$/,
  ],
  [
    'a table that is missing',
    (sql: string) => sql.replace(/CREATE TABLE `odd[^;]*;/, '').replace(/^.*`odd.*$/gm, ''),
    /^it has 1 tables, and its \.json says 2$/,
  ],
  [
    'the row of another dump',
    (sql: string) => sql.replace(/(INSERT INTO `dump` VALUES \(1,')../, '$1zz'),
    /^the row that was written just before/,
  ],
])('%s makes a dump bad although its sum is right', (_, change, flaw) =>
  keep(async () => {
    rewrite(change)
    const { code, report } = await db.verify(file)
    expect(verifyResult(report)?.flaw).toMatch(flaw)
    expect(code).toBe(3)
    expect(existsSync(beside('.bad'))).toBe(true)
  })(),
)

test(
  'a dump that was found bad and is whole again is offered again',
  keep(async () => {
    renameSync(beside('.json'), beside('.bad'))
    expect(verifyResult((await db.verify()).report)).toMatchObject({ file, flaw: null })
    expect(existsSync(beside('.json'))).toBe(true)
    expect(existsSync(beside('.bad'))).toBe(false)
  }),
)

test('what says nothing about the dump does not mark it: no record, or a server that cannot start', async () => {
  writeFileSync(path('by-hand.sql.gz'), gzipSync('-- Dump completed\n'))
  const unknown = await db.verify('by-hand.sql.gz')
  expect(unknown.code).toBe(1)
  expect(failureOf(unknown.report)).toContain('by-hand.sql.gz has no .json')
  const { code, report } = await db.verifying(file, 'ulimit -f 100;').ended
  expect(code).toBe(1)
  expect(failureOf(report)).toContain('could not make a throw-away database')
  expect(readdirSync(db.backups).filter((name) => name.endsWith('.bad'))).toEqual([])
})
