import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { failureOf, initResult } from '../../src/desired/results.ts'
import { until } from './container.ts'
import { Instance } from './instance.ts'

let db: Instance
beforeEach(async () => {
  db = await Instance.create()
})
afterEach(() => db.remove())

const files = () => readdirSync(db.data).sort()

test('an empty claim becomes a data directory that is not ready until the mark is done', async () => {
  const { report } = await db.initialise()
  expect(initResult(report)).toEqual({ version: expect.stringMatching(/^\d+\.\d+\.\d+$/), initialised: true })
  await db.start()
  expect(await db.ask('SELECT claim_uid, state, restored_from FROM mysql_operator.instance')).toBe(
    `${db.claimUid}\tpending\tNULL`,
  )
  expect(await db.ready()).toBe(false)
  await db.ask("UPDATE mysql_operator.instance SET state = 'done'")
  expect(await db.ready()).toBe(true)
})

test('root is locked and has no empty password before the restore', async () => {
  await db.startNew()
  expect(await db.ask("SELECT user, host, account_locked FROM mysql.user WHERE user = 'root'")).toBe(
    'root\tlocalhost\tY',
  )
  expect(await db.ask("SELECT COUNT(*) FROM mysql.user WHERE authentication_string = ''")).toBe('0')
  const { code, stderr } = await db.query('SELECT 1', 'root', '')
  expect(code).not.toBe(0)
  expect(stderr).toContain('Access denied')
})

test('a restart keeps the data, the mark, and says that nothing was initialised', async () => {
  await db.startNew()
  await db.ask("UPDATE mysql_operator.instance SET state = 'done'")
  await db.ask('CREATE DATABASE kept; CREATE TABLE kept.t (i INT); INSERT INTO kept.t VALUES (7)')
  await db.stopServer('SIGKILL')
  expect(initResult((await db.initialise()).report)?.initialised).toBe(false)
  await db.start()
  expect(await db.ask('SELECT i FROM kept.t')).toBe('7')
  await until('the database to be ready', () => db.ready())
})

test('killed half way it starts over, and what it had begun is never taken for data', async () => {
  const first = db.initialising()
  await until('the partial directory', () => existsSync(join(db.data, 'data.partial', 'ibdata1')))
  await first.stop('SIGKILL')
  expect(files()).toEqual(['data.partial'])
  expect(initResult((await db.initialise()).report)?.initialised).toBe(true)
  expect(files()).toEqual(['data'])
  await db.start()
  expect(await db.ask('SELECT state FROM mysql_operator.instance')).toBe('pending')
})

test('the end of its pod ends it at once', async () => {
  const container = db.initialising()
  await until('the partial directory', () => existsSync(join(db.data, 'data.partial')))
  const { code } = await container.stop('SIGTERM')
  expect(code).toBe(143)
  expect(files()).toEqual(['data.partial'])
})

test('a data directory of somebody else is left alone', async () => {
  mkdirSync(join(db.data, 'mysql'))
  writeFileSync(join(db.data, 'ibdata1'), 'somebody’s data')
  const { code, report } = await db.initialise()
  expect(code).toBe(1)
  expect(failureOf(report)).toContain('holds a data directory that this operator did not make')
  expect(files()).toEqual(['ibdata1', 'mysql'])
})

test('the server ends on SIGTERM, with everything flushed', async () => {
  await db.startNew()
  const { code, stderr } = await db.server.stop('SIGTERM')
  expect(code).toBe(0)
  expect(stderr).toContain('Shutdown complete')
})

test('a new password of the operator’s account is in force after a restart', async () => {
  await db.startNew()
  await db.stopServer()
  db.newOperatorPassword('another-password-of-this-test')
  await db.initialise()
  await db.start()
  expect(await db.mayLogIn('mysql_operator', 'another-password-of-this-test')).toBe(true)
  expect(await db.mayLogIn('mysql_operator', 'operator-password-of-this-test')).toBe(false)
})
