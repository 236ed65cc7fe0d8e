/** What the operator's hashes are for: clients log in with the passwords, whatever characters those are made of. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isOlder, needsNativePassword, versionOf } from '../../src/api/image.ts'
import { failureOf, passwordResult } from '../../src/desired/results.ts'
import { hash } from '../../src/passwords/cachingSha2.ts'
import {
  type AuthPlugin,
  createCredential,
  observedCredential,
  verifyCredential,
} from '../../src/passwords/credential.ts'
import { passwordProblem } from '../../src/passwords/policy.ts'
import { mysqlImage } from './image.ts'
import { Instance } from './instance.ts'

const version = versionOf(mysqlImage) ?? { major: 9, minor: 7 }
const hasCachingSha2 = !needsNativePassword(mysqlImage)
const hasNative = isOlder(version, { major: 8, minor: 4 })
const hasFormB = !isOlder(version, { major: 9, minor: 7 })

const tcp = ['--protocol=TCP', '--host=127.0.0.1']
const plain = [...tcp, '--ssl-mode=DISABLED']
/** The server asks for the password itself when it has not seen it since its start or its change. */
const ways = {
  'without TLS, by the RSA key': [...plain, '--get-server-public-key'],
  'over TLS': [...tcp, '--ssl-mode=REQUIRED'],
}

/** The longest password that fits under the padding of the server's RSA key of 2048 bits. */
const rsaBytes = 213

const passwords: [string, string][] = [
  ['quotes', `'a"b''c""d`],
  ['backslashes', '\\a\\\\n\\'],
  ['dollars and backticks', '$(id) $HOME `id` $1'],
  ['spaces at both ends', '  a b  '],
  ['line breaks and a tab', '\nfirst\r\nsecond\t\n'],
  ['an end of the statement', "'; DROP USER root; -- # /*"],
  ['characters of several bytes', 'Grüße 密码 🐬 e\u0301'],
  ['one byte', ' '],
  [`${rsaBytes} bytes`, 'x'.repeat(rsaBytes)],
]

let db: Instance

const logIn = (user: string, password: string, options: string[]) =>
  db.query('SELECT CURRENT_USER()', user, password, options)

/** The user can log in in both ways, and each time the server has to look at the hash. */
const logsIn = async (user: string, password: string) => {
  for (const [way, options] of Object.entries(ways)) {
    const { stdout, stderr } = await logIn(user, password, options)
    expect({ way, stdout }, stderr).toEqual({ way, stdout: `${user}@%\n` })
    await db.ask('FLUSH PRIVILEGES')
  }
}

const isRefused = async (user: string, password: string) =>
  expect((await logIn(user, password, ways['over TLS'])).stderr).toContain('ERROR 1045')

const change = async (password: string) => {
  db.setPassword('root', `${password}/root`)
  db.setPassword('user', password)
  const { report, stderr } = await db.passwordChange('root', 'user')
  return passwordResult(report)?.accounts ?? stderr
}

const both = (was: string) => ['root', 'user'].map((account) => ({ account, was, old: false }))

describe.each([
  ['its own SQL modes', ''],
  ['ANSI_QUOTES and NO_BACKSLASH_ESCAPES', 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'],
])('on a server with %s', (_, mode) => {
  beforeAll(async () => {
    db = await Instance.create({ database: 'otus_database' })
    await db.startNew()
    if (mode !== '') {
      await db.ask(`SET PERSIST sql_mode = '${mode}'`)
      await db.stopServer()
      await db.start()
    }
    expect(await db.ask('SELECT @@GLOBAL.sql_mode')).toContain(mode)
  })
  afterAll(() => db.remove())

  test('the accounts of a new database have their passwords', async () => {
    const password = passwords.map(([, each]) => each.slice(0, 12)).join('')
    db.setPassword('root', `${password}/root`)
    db.setPassword('user', password)
    expect((await db.restore()).stderr).toBe('')
    await logsIn('ali', password)
    await logsIn('root', `${password}/root`)
  })

  test.each(passwords)('a password of %s is given, and changed', async (_, password) => {
    const other = `${password.slice(0, 100)}/other`
    await db.ask("DROP USER IF EXISTS ali, root@'%', root@localhost")
    expect(await change(password)).toEqual(both('new'))
    await logsIn('ali', password)
    expect(await change(other)).toEqual(both('changed'))
    await logsIn('root', `${other}/root`)
    await isRefused('ali', password)
  })
})

describe('on a server of these tests', () => {
  beforeAll(async () => {
    db = await Instance.create({ database: 'otus_database' })
    await db.startNew()
    expect((await db.restore()).code).toBe(0)
  })
  afterAll(() => db.remove())

  const held = async () => {
    const [plugin = '', hex = ''] = (
      await db.ask("SELECT plugin, HEX(authentication_string) FROM mysql.user WHERE user = 'ali'")
    ).split('\t')
    return { plugin, bytes: Buffer.from(hex, 'hex') }
  }

  const literal = (bytes: Buffer) => `0x${bytes.toString('hex').toUpperCase()}`

  test.runIf(hasCachingSha2)('(control) without TLS and without the key nobody logs in first', async () => {
    await change('before')
    await change('a new password')
    expect((await logIn('ali', 'a new password', plain)).stderr).toContain('ERROR 2061')
    await logsIn('ali', 'a new password')
  })

  test('a password of 256 bytes works over TLS; without TLS the client takes no more than 213', async () => {
    for (const [bytes, fits] of [
      [rsaBytes, true],
      [rsaBytes + 1, !hasCachingSha2],
      [256, !hasCachingSha2],
    ] as const) {
      const password = 'ü'.repeat(128).slice(0, Math.floor(bytes / 2)) + 'x'.repeat(bytes % 2)
      expect(Buffer.byteLength(password)).toBe(bytes)
      db.setPassword('user', password)
      expect((await db.passwordChange('user')).stderr).toBe('')
      const { code } = await logIn('ali', password, ways['without TLS, by the RSA key'])
      expect({ bytes, fits: code === 0 }).toEqual({ bytes, fits })
      expect((await logIn('ali', password, ways['over TLS'])).stdout).toBe('ali@%\n')
    }
  })

  const plugins: [AuthPlugin, string][] = [
    ...(hasCachingSha2 ? ([['caching_sha2_password', '$A$']] as [AuthPlugin, string][]) : []),
    ...(hasFormB ? ([['caching_sha2_password', '$B$']] as [AuthPlugin, string][]) : []),
    ...(hasNative ? ([['mysql_native_password', '*']] as [AuthPlugin, string][]) : []),
  ]

  test.each(plugins)('what the server stores for %s in form %s is understood', async (plugin, form) => {
    if (form === '$B$') await db.ask("SET GLOBAL caching_sha2_password_storage_format = 'PBKDF2_SHA512'")
    const usable = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
      .filter((password) => passwordProblem(password) === undefined)
    for (const password of [...passwords.map(([, each]) => each), ...fc.sample(usable, 10)]) {
      const hex = Buffer.from(password).toString('hex')
      await db.ask(`
        SET @password = QUOTE(CONVERT(0x${hex} USING utf8mb4));
        SET @alter = CONCAT("ALTER USER ali IDENTIFIED WITH ${plugin} BY ", @password);
        PREPARE alter_user FROM @alter; EXECUTE alter_user`)
      const { plugin: is, bytes } = await held()
      expect(bytes.toString('latin1').startsWith(form)).toBe(true)
      const credential = observedCredential(is, bytes)
      if (!credential) throw new Error(`not understood: ${bytes.toString('latin1')}`)
      expect(verifyCredential(Buffer.from(password), credential)).toBe(true)
      expect(verifyCredential(Buffer.from(`${password} `), credential)).toBe(false)
      if (plugin === 'mysql_native_password')
        expect(credential).toEqual(createCredential(Buffer.from(password), plugin))
    }
  })

  test.runIf(hasFormB)('a hash of ours in form B is put in force', async () => {
    db.keepHash('user', literal(hash(Buffer.from('form B'), { form: 'B', rounds: 10_000 })))
    expect(passwordResult((await db.passwordChange('user')).report)?.accounts[0]?.was).toBe('changed')
    expect((await held()).bytes.toString('latin1', 0, 3)).toBe('$B$')
    await logsIn('ali', 'form B')
  })

  const native = createCredential(Buffer.from('a native one'), 'mysql_native_password')

  test.runIf(hasNative && hasCachingSha2)(
    'a native hash is put in force, and replaced by the other plugin',
    async () => {
      db.keepHash('user', native.literal, native.plugin)
      expect(passwordResult((await db.passwordChange('user')).report)?.accounts[0]?.was).toBe('changed')
      expect((await held()).plugin).toBe('mysql_native_password')
      await logsIn('ali', 'a native one')
      expect(await change('the next one')).toContainEqual({ account: 'user', was: 'changed', old: false })
      expect((await held()).plugin).toBe('caching_sha2_password')
      await logsIn('ali', 'the next one')
      await isRefused('ali', 'a native one')
    },
  )

  test.runIf(!hasNative)('a native hash is refused, and the password in force stays', async () => {
    await change('stays')
    db.keepHash('user', native.literal, native.plugin)
    const { report } = await db.passwordChange('user')
    expect(failureOf(report)).toBe("the password of 'ali'@'%' was not changed: ERROR 1524 (HY000) at line 1")
    await logsIn('ali', 'stays')
  })
})
