import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { backupJob } from '../../src/desired/jobs/backup.ts'
import type { JobManifest } from '../../src/desired/jobs/job.ts'
import { restoreJob } from '../../src/desired/jobs/restore.ts'
import type { Container as Spec } from '../../src/desired/pod.ts'
import { failureOf } from '../../src/desired/results.ts'
import { Instance } from './instance.ts'

let db: Instance
beforeAll(async () => {
  db = await Instance.create()
  await db.startNew()
})
afterAll(() => db.remove())

const evil = 'x; id > /backup-shop-pv/pwned #'
const pwned = () => existsSync(join(db.backups, 'pwned'))

const withEnv =
  (name: string, value: string) =>
  (spec: Spec): Spec => ({
    ...spec,
    env: (spec.env ?? []).map((variable) => (variable.name === name ? { name, value } : variable)),
  })

const restore = (): JobManifest => restoreJob(db.mysql, { claimUid: db.claimUid, root: 'shop-root-test' })
const backup = (): JobManifest => backupJob(db.mysql, { claimUid: db.claimUid, cause: 'last' })

test.each([
  ['DATABASE', evil],
  ['DATABASE', 'a`; DROP DATABASE mysql_operator; -- '],
  ['DATABASE', 'x\nmysql'],
  ['DATABASE', 'MySQL_operator'],
  ['DATABASE', '-e'],
  ['DATABASE', ''],
  ['DATABASE', 'a'.repeat(65)],
  ['ACCOUNT', "ali'@'%' IDENTIFIED BY 'x'; --"],
  ['ACCOUNT', '$(id > /backup-shop-pv/pwned)'],
  ['INSTANCE', '../shop'],
  ['INSTANCE', 'shop*'],
  ['BACKUPS', '/backup-shop-pv/..'],
  ['BACKUPS', '/etc'],
  ['RESTORE_FROM', '../../etc/passwd'],
  ['RESTORE_FROM', '-rf'],
  ['CLAIM_UID', "' OR 1 = 1 -- "],
  ['SERVER', '--help'],
])('restore.sh refuses a %s such as %j before it does anything', async (name, value) => {
  const { code, report } = await db.job(restore(), withEnv(name, value)).ended
  expect(code).toBe(1)
  expect(failureOf(report)).toBe(
    `${name} is ${
      value === 'MySQL_operator' ? 'a system schema' : 'not what this script takes'
    }: the operator should have refused it`,
  )
  expect(pwned()).toBe(false)
})

test.each([
  ['INSTANCE', evil],
  ['ACCOUNT', evil],
  ['POD_UID', evil],
  ['OWNER_UID', '","x":"'],
])('backup.sh refuses a %s such as %j', async (name, value) => {
  const { report } = await db.job(backup(), withEnv(name, value)).ended
  expect(failureOf(report)).toBe(`${name} is not what this script takes: the operator should have refused it`)
  expect(pwned()).toBe(false)
})

test.each([
  ['KEEP_OLD', 'root user'],
  ['KEEP_OLD', '$(id > /tmp/pwned)'],
  ['ONLY_COMPARE', ''],
])('password.sh refuses a %s such as %j', async (name, value) => {
  const { report } = await db.job(db.passwordJob({}, 'root'), withEnv(name, value)).ended
  expect(failureOf(report)).toBe(`${name} is not what this script takes: the operator should have refused it`)
})

test('(control) the pasted command of the first operator runs what the name says', async () => {
  const line = `mysqldump -u root -h shop ${evil} > /backup-shop-pv/shop-dump.sql`
  await db.shell(line).ended
  expect(pwned()).toBe(true)
})
