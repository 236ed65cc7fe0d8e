import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { needsNativePassword } from '../../src/api/image.ts'
import { failureOf, passwordResult } from '../../src/desired/results.ts'
import { createCredential } from '../../src/passwords/credential.ts'
import { until } from './container.ts'
import { mysqlImage } from './image.ts'
import { Instance } from './instance.ts'

/** Has neither second passwords nor caching_sha2_password. */
const isOld = needsNativePassword(mysqlImage)

let db: Instance
beforeAll(async () => {
  db = await Instance.create({ database: 'otus_database' })
  await db.startNew()
})
beforeEach(() => db.reset())
afterAll(() => db.remove())

test('the new password works, the old one does not, and a second run changes nothing', async () => {
  await db.restore()
  db.setPassword('user', 'second "\'`\\ 🐬')
  const { stdout, stderr, report } = await db.passwordChange('user')
  expect(stderr).toBe('')
  expect(passwordResult(report)?.accounts).toEqual([{ account: 'user', was: 'changed', old: false }])
  expect(await db.mayLogIn('ali', 'second "\'`\\ 🐬')).toBe(true)
  expect(await db.mayLogIn('ali', 'user-password')).toBe(false)
  expect(stdout + report).not.toMatch(/0x2441|\$A\$/)
  const before = await db.ask("SELECT password_last_changed FROM mysql.user WHERE user = 'ali'")
  expect(passwordResult((await db.passwordChange('user')).report)?.accounts).toEqual([
    { account: 'user', was: 'unchanged', old: false },
  ])
  expect(await db.ask("SELECT password_last_changed FROM mysql.user WHERE user = 'ali'")).toBe(before)
})

test.skipIf(isOld)('a server that no longer answers is not waited for without end', async () => {
  await db.restore()
  const sleeps = "SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'"
  const blocking = db.ask('LOCK INSTANCE FOR BACKUP; SELECT SLEEP(600)').catch(() => undefined)
  await until('changes of accounts to be blocked', async () => (await db.ask(sleeps)) !== '')
  db.setPassword('user', 'second')
  const impatient =
    'timeout() { local sql seconds=$1; shift; sql=$(cat); [[ $sql != ALTER* ]] || seconds=1; command timeout "$seconds" "$@" <<<"$sql"; }; export -f timeout;'
  const job = db.job(db.passwordJob({}, 'user'), (spec) => ({
    ...spec,
    command: ['bash', '-c', `${impatient} exec ${spec.command?.join(' ')}`],
  }))
  const { code, report } = await job.ended
  await db.ask(`KILL ${await db.ask(sleeps)}`)
  await blocking
  expect([code, failureOf(report)]).toEqual([1, expect.stringContaining("'ali'@'%' was not changed")])
  // What the server had begun it may have ended after all.
  expect((await db.passwordChange('user')).code).toBe(0)
  expect(await db.mayLogIn('ali', 'second')).toBe(true)
})

test('root means both roots, and both accounts can change in one run', async () => {
  await db.restore()
  db.setPassword('root', 'second-root')
  db.setPassword('user', 'second-user')
  expect(passwordResult((await db.passwordChange('root', 'user')).report)?.accounts).toEqual([
    { account: 'root', was: 'changed', old: false },
    { account: 'user', was: 'changed', old: false },
  ])
  expect(await db.mayLogIn('root', 'second-root')).toBe(true)
  expect(await db.mayLogIn('root', 'root-password')).toBe(false)
  expect((await db.query('SELECT CURRENT_USER()', 'root', 'second-root')).stdout).toBe('root@localhost\n')
})

test('a first password makes the account, with its rights', async () => {
  await db.restore({ user: false })
  expect(passwordResult((await db.passwordChange('user')).report)?.accounts).toEqual([
    { account: 'user', was: 'new', old: false },
  ])
  expect((await db.query('CREATE TABLE t (i INT)', 'ali', 'user-password', ['otus_database'])).code).toBe(0)
  expect((await db.query('CREATE DATABASE otusXdatabase', 'ali', 'user-password')).code).not.toBe(0)
})

test('an account that was dropped by hand is made again', async () => {
  await db.restore()
  await db.ask("DROP USER root@'%'")
  expect(passwordResult((await db.passwordChange('root')).report)?.accounts).toEqual([
    { account: 'root', was: 'new', old: false },
  ])
  expect(await db.mayLogIn('root', 'root-password')).toBe(true)
  expect((await db.query('SHOW GRANTS', 'root', 'root-password', ['--protocol=TCP'])).stdout).toContain(
    'WITH GRANT OPTION',
  )
})

test.skipIf(isOld).each(['wanted password', 'other password'])(
  'a second password that somebody left goes away (primary is the %s)',
  async (primary) => {
    await db.restore()
    await db.ask("ALTER USER ali IDENTIFIED BY 'left-over'")
    if (primary === 'wanted password') {
      const { literal } = createdFor('user-password')
      db.keepHash('user', literal)
      await db.ask(
        `ALTER USER ali IDENTIFIED WITH caching_sha2_password AS ${literal} RETAIN CURRENT PASSWORD`,
      )
    } else await db.ask("ALTER USER ali IDENTIFIED BY 'third' RETAIN CURRENT PASSWORD")
    expect(await db.mayLogIn('ali', 'left-over')).toBe(true)
    const { report } = await db.passwordChange('user')
    expect(passwordResult(report)?.accounts[0]?.was).toBe(
      primary === 'wanted password' ? 'unchanged' : 'changed',
    )
    expect(await db.mayLogIn('ali', 'left-over')).toBe(false)
    expect(await db.mayLogIn('ali', 'user-password')).toBe(true)
  },
)

const createdFor = (password: string) => createCredential(Buffer.from(password), 'caching_sha2_password')

test.each([
  ['0x24', 'caching_sha2_password'],
  ["0x2441'; DROP DATABASE x; --", 'caching_sha2_password'],
  ['*0000000000000000000000000000000000000000 ', 'mysql_native_password '],
])('a Secret with something else than a hash is refused and not shown (%#)', async (literal, plugin) => {
  await db.restore()
  db.keepHash('user', literal, plugin)
  const { report, stdout, stderr } = await db.passwordChange('user')
  expect(failureOf(report)).toContain('malformed')
  expect(stdout + stderr + report).not.toContain(literal)
  expect(await db.mayLogIn('ali', 'user-password')).toBe(true)
})

test.skipIf(isOld)('what the server says against a hash is not shown, only its number', async () => {
  await db.restore()
  // Right by its form, but the server looks closer.
  const literal = `0x${'24'.repeat(70)}`
  db.keepHash('user', literal)
  const { report, stdout, stderr } = await db.passwordChange('user')
  expect(failureOf(report)).toMatch(
    /^the password of 'ali'@'%' was not changed: ERROR \d+ \(\w+\) at line 1$/,
  )
  expect(stdout + stderr + report).not.toContain(literal.slice(0, 30))
  expect(await db.mayLogIn('ali', 'user-password')).toBe(true)
})
