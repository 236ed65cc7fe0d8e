import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type AuthPlugin,
  createCredential,
  identifiedWith,
  observedCredential,
  parseCredential,
  verifyCredential,
} from '../../src/passwords/credential.ts'
import * as native from '../../src/passwords/native.ts'
import vectors from './vectors.json' with { type: 'json' }

const caching = 'caching_sha2_password'
const older = 'mysql_native_password'
const secret = Buffer.from('secret')
const nativeSecret = '*14E65567ABDB5135D0CFD9A70B3032C179A49EE7'
const cachingSecret = `0x${vectors.find((vector) => vector.password === 'secret')?.stored_hex.toUpperCase()}`

describe('mysql_native_password', () => {
  test.each([
    ['secret', nativeSecret],
    ['password', '*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19'],
    ['root', '*81F5E21E35407D884A6CD4A731AEBFB6AF209E1B'],
  ])('the hash of %s is the one that MySQL stores', (password, stored) => {
    expect(native.hash(Buffer.from(password))).toBe(stored)
    expect(native.verify(Buffer.from(password), stored)).toBe(true)
    expect(native.verify(Buffer.from(`${password} `), stored)).toBe(false)
  })

  test.each(['', nativeSecret.slice(1), nativeSecret.toLowerCase(), `${nativeSecret}\n`, ` ${nativeSecret}`])(
    'no password belongs to the malformed %j',
    (stored) => {
      expect(native.verify(secret, stored)).toBe(false)
    },
  )

  test('a password that MySQL would refuse is refused', () => {
    expect(() => native.hash(Buffer.alloc(0))).toThrow(RangeError)
    expect(() => native.hash(Buffer.alloc(257, 'a'))).toThrow(RangeError)
  })
})

describe('a credential', () => {
  test.each([
    nativeSecret.toLowerCase(),
    ` ${nativeSecret}`,
    `${nativeSecret}\n`,
    nativeSecret.slice(1),
    `${nativeSecret}0`,
  ])('of mysql_native_password is not made of %j', (literal) => {
    expect(parseCredential(older, literal)).toBeUndefined()
  })

  test.each([caching, older] as const)('of %s is parsed, and verifies its password alone', (plugin) => {
    const credential = createCredential(secret, plugin)
    expect(parseCredential(credential.plugin, credential.literal)).toEqual(credential)
    expect(verifyCredential(secret, credential)).toBe(true)
    expect(verifyCredential(Buffer.from('Secret'), credential)).toBe(false)
  })

  test('of another program verifies its password', () => {
    expect(verifyCredential(secret, { plugin: caching, literal: cachingSecret })).toBe(true)
    expect(verifyCredential(secret, { plugin: older, literal: nativeSecret })).toBe(true)
  })

  test('stands in SQL as hex or as a quoted string', () => {
    expect(identifiedWith({ plugin: caching, literal: cachingSecret })).toBe(
      `IDENTIFIED WITH 'caching_sha2_password' AS ${cachingSecret}`,
    )
    expect(identifiedWith({ plugin: older, literal: nativeSecret })).toBe(
      `IDENTIFIED WITH 'mysql_native_password' AS '${nativeSecret}'`,
    )
  })

  test('of both forms of caching_sha2_password is accepted', () => {
    for (const { stored_hex } of vectors)
      expect(parseCredential(caching, `0x${stored_hex.toUpperCase()}`)).toBeDefined()
  })

  test.each([
    ['lower-case hex', caching, `0x${cachingSecret.slice(2).toLowerCase()}`],
    ['no 0x', caching, cachingSecret.slice(2)],
    ['an upper-case 0X', caching, cachingSecret.replace('0x', '0X')],
    ['a byte less', caching, cachingSecret.slice(0, -2)],
    ['a digit more', caching, `${cachingSecret}0`],
    ['a line feed behind', caching, `${cachingSecret}\n`],
    ['a space before', caching, ` ${cachingSecret}`],
    ['a statement behind', caching, `${cachingSecret}; DROP USER root`],
    ['hex of something else', caching, `0x${'41'.repeat(70)}`],
    ['form C', caching, cachingSecret.replace('0x2441', '0x2443')],
    ['rounds of 000', caching, cachingSecret.replace('303035', '303030')],
    ['a hash of the other plugin', caching, nativeSecret],
    ['a hash of the other plugin', older, cachingSecret],
    ['a quoted hash', older, `'${nativeSecret}'`],
    ['a quote in the hash', older, `${nativeSecret.slice(0, -1)}'`],
    ['an unknown plugin', 'sha256_password', cachingSecret],
    ['the name of an inherited property', 'toString', cachingSecret],
    ['no plugin', undefined, cachingSecret],
    ['no text', caching, undefined],
    ['a list', caching, [cachingSecret]],
    ['the empty text', caching, ''],
  ])('with %s is refused', (_, plugin, literal) => {
    expect(parseCredential(plugin, literal)).toBeUndefined()
    const credential = { plugin: plugin as AuthPlugin, literal: literal as string }
    expect(verifyCredential(secret, credential)).toBe(false)
    expect(() => identifiedWith(credential)).toThrow(/^the credential is malformed: create it anew/)
  })

  test('is nothing but 0x and hex, or a star and hex, whatever text comes', () => {
    const text = fc.oneof(
      fc.string(),
      fc.stringMatching(/^0x2441[0-9A-F]{136}$/),
      fc.stringMatching(/^\*[0-9A-F'" ]{40}$/),
    )
    fc.assert(
      fc.property(fc.constantFrom(caching, older), text, (plugin, literal) => {
        const parsed = parseCredential(plugin, literal)
        if (parsed !== undefined) expect(parsed.literal).toMatch(/^(?:0x|\*)[0-9A-F]+$/)
      }),
    )
  })

  test('is read from what a server stores', () => {
    const bytes = Buffer.from(cachingSecret.slice(2), 'hex')
    expect(observedCredential(caching, bytes)).toEqual({ plugin: caching, literal: cachingSecret })
    expect(observedCredential(older, Buffer.from(nativeSecret))).toEqual({
      plugin: older,
      literal: nativeSecret,
    })
  })

  test('is not read from an account without a password, of another plugin, or damaged', () => {
    const bytes = Buffer.from(cachingSecret.slice(2), 'hex')
    expect(observedCredential(caching, Buffer.alloc(0))).toBeUndefined()
    expect(observedCredential(older, Buffer.alloc(0))).toBeUndefined()
    expect(observedCredential('auth_socket', bytes)).toBeUndefined()
    expect(observedCredential(caching, bytes.subarray(1))).toBeUndefined()
  })
})
