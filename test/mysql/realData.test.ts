/** Databases that nobody here wrote, and one of everything that a server can hold: a new server gets them as they were. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { backupResult, failureOf, restoreResult, verifyResult } from '../../src/desired/results.ts'
import { run } from '../cluster/processes.ts'
import { checksums, definitions } from './definitions.ts'
import { Instance } from './instance.ts'
import { sysbench, zabbix } from './samples.ts'

let db: Instance
beforeAll(async () => {
  db = await Instance.create({ database: 'shop' })
  await db.startNew()
  expect((await db.restore({ from: 'none' })).code).toBe(0)
  await db.ask(
    'SET GLOBAL log_bin_trust_function_creators = ON; SET GLOBAL innodb_flush_log_at_trx_commit = 0',
  )
})
afterAll(() => db.remove())

/** Its views read each other, and it has routines and triggers: a schema that ships with every server. */
const copySys = async () => {
  const client = '--defaults-file=/etc/mysql-operator/client/client.cnf --host="$SERVER"'
  const { code, stderr } =
    await db.shell(`set -o pipefail; mysqldump ${client} --set-gtid-purged=OFF --routines --triggers sys |
    sed 's/\`sys\`/\`copy of sys\`/g' | mysql ${client} 'copy of sys'`).ended
  expect(code, stderr).toBe(0)
}

const fillBySysbench = async () => {
  // Its library has no TLS here, and may log in without once the server remembers the account.
  expect(await db.mayLogIn('ali', 'user-password')).toBe(true)
  const args = [
    '--mysql-host=127.0.0.1',
    '--mysql-user=ali',
    '--mysql-password=user-password',
    '--mysql-db=shop',
  ]
  const size = ['--tables=3', '--table-size=10000', 'prepare']
  const [command = '', ...rest] = db.inside(await sysbench('oltp_read_write', [...args, ...size]))
  await run(command, rest)
}

test('dump, verification, and restore into a new server: every row and every definition is the same', async () => {
  await db.ask('CREATE DATABASE zabbix; CREATE DATABASE `copy of sys`')
  await db.ask(`USE zabbix;\n${await zabbix()}`)
  await copySys()
  await fillBySysbench()
  await db.ask(readFileSync(join(import.meta.dirname, 'everything.sql'), 'utf8'))
  const before = { definitions: await definitions(db), checksums: await checksums(db) }
  expect(before.checksums.split('\n').length).toBeGreaterThan(190)
  for (const kind of ['CREATE TABLE', 'VIEW', 'PROCEDURE', 'FUNCTION', 'TRIGGER', 'EVENT'])
    expect(before.definitions).toContain(kind)

  const made = await db.backup()
  expect(failureOf(made.report)).toBeUndefined()
  const dump = backupResult(made.report)
  expect(dump?.incomplete).toEqual([])
  expect(verifyResult((await db.verify()).report)).toMatchObject({
    file: dump?.file,
    tables: dump?.tables,
    flaw: null,
  })

  await db.loseData()
  await db.startNew()
  const restored = await db.restore()
  expect(failureOf(restored.report)).toBeUndefined()
  expect(restoreResult(restored.report)).toMatchObject({ from: dump?.file, tables: dump?.tables })
  expect(await checksums(db)).toBe(before.checksums)
  expect(await definitions(db)).toBe(before.definitions)
}, 600_000)
