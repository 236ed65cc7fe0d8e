import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  backupResult,
  failureOf,
  initResult,
  passwordResult,
  restoreResult,
} from '../../src/desired/results.ts'
import { credentialSecret, initSecret, operatorSecret, passwordOf } from '../../src/desired/secrets.ts'
import { identifiedWith } from '../../src/passwords/credential.ts'
import { mysql } from '../api/fixtures.ts'
import { hash, nativeHash } from './cases.ts'

const decoded = (data: Record<string, string> | undefined, key: string) =>
  Buffer.from(data?.[key] ?? '', 'base64').toString()

describe('hashes', () => {
  test.each([hash, nativeHash])('both forms are taken as they are ($plugin)', (good) => {
    expect(identifiedWith(good)).toContain(good.literal)
    const { data, immutable } = credentialSecret(mysql(), 'root', 'shop-root-x', good)
    expect(decoded(data, 'password')).toBe(good.literal)
    expect(decoded(data, 'plugin')).toBe(good.plugin)
    expect(immutable).toBe(true)
  })

  test('one that could end a literal becomes no Secret', () => {
    const literal = hash.literal.replace(/.$/, "'")
    expect(() => credentialSecret(mysql(), 'root', 'shop-root-x', { ...hash, literal })).toThrow('malformed')
    expect(() => initSecret(mysql(), { ...hash, literal })).toThrow('malformed')
  })

  test('a Secret of another account or another name is never overwritten with a hash', () => {
    for (const name of ['shop-user-x', 'other', 'shop-operator', 'shop-root'])
      expect(() => credentialSecret(mysql(), 'root', name, hash)).toThrow('make it with names.credential()')
  })
})

describe('the operator’s account', () => {
  test('its SQL is one statement a line, and the first one keeps it out of the binary log', () => {
    const lines = decoded(initSecret(mysql(), hash).data, 'init.sql').trimEnd().split('\n')
    expect(lines[0]).toBe('SET sql_log_bin=0;')
    for (const line of lines) expect(line).toMatch(/^[^;]+;$/)
  })

  test('its password is read back as it was written', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9_-]{16,128}$/), (password) => {
        expect(passwordOf(operatorSecret(mysql(), password))).toBe(password)
      }),
    )
  })

  test('a password that an option file might read differently is refused and not shown', () => {
    fc.assert(
      fc.property(fc.string(), (password) => {
        fc.pre(!/^[A-Za-z0-9_-]{16,128}$/.test(password))
        expect(() => operatorSecret(mysql(), password)).toThrow(
          "the operator account's password is not 16 to 128 letters and digits: generate one",
        )
      }),
    )
  })

  test('a Secret without a password is an error that names it', () => {
    expect(() => passwordOf({ metadata: { name: 'shop-operator' }, data: {} })).toThrow(
      'Secret shop-operator',
    )
  })
})

describe('what scripts report', () => {
  const readers = { initResult, restoreResult, passwordResult, backupResult, failureOf }
  const good = {
    initResult: { version: '9.7.4', initialised: true },
    restoreResult: { version: '9.7.4', from: null, tables: 2, skippedAccounts: [], already: false },
    passwordResult: { accounts: [{ account: 'root', was: 'new', old: false }] },
    backupResult: {
      file: 'shop-20260101T000000Z.sql.gz',
      bytes: 10,
      tables: 1,
      sha256: 'a'.repeat(64),
      version: '9.7.4',
      incomplete: ['shop.view'],
    },
    failureOf: { error: 'it is full' },
  }
  const cases = Object.entries(readers) as [keyof typeof good, (text: string) => unknown][]

  test.each(cases)('%s reads its own report', (name, read) => {
    const expected = name === 'failureOf' ? good.failureOf.error : good[name]
    expect(read(`${JSON.stringify(good[name])}\n`)).toEqual(expected)
  })

  test.each(cases)('%s reads nothing else, and never throws', (name, read) => {
    for (const other of Object.keys(good)) {
      if (other !== name) expect(read(JSON.stringify(good[other as keyof typeof good]))).toBeUndefined()
    }
    for (const key of Object.keys(good[name])) {
      expect(read(JSON.stringify({ ...good[name], [key]: undefined }))).toBeUndefined()
      expect(read(JSON.stringify({ ...good[name], [key]: {} }))).toBeUndefined()
    }
    expect(read(JSON.stringify({ ...good[name], more: 1 }))).toBeUndefined()
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(read(text)).toBeUndefined()
      }),
    )
  })

  test.each(['../x', '.hidden', '-rf', 'a b', 'a/b', '', 'x'.repeat(256)])(
    '%j is no file name of a dump',
    (file) => {
      expect(backupResult(JSON.stringify({ ...good.backupResult, file }))).toBeUndefined()
    },
  )
})
