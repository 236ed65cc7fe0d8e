import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createCredential } from '../../src/passwords/credential.ts'
import { open, seal, tag } from '../../src/passwords/seal.ts'

const key = Buffer.alloc(32, 'operator key')
const otherKey = Buffer.alloc(32, 'another key')
const identity = { namespace: 'shop', name: 'orders', account: 'root' }
const plugin = 'caching_sha2_password'
const secret = Buffer.from('canary-Grüße')
const credential = createCredential(secret, plugin)
const contents = {
  tag: tag(key, { ...identity, plugin }, secret),
  credential,
  secretName: 'orders-root-x7k2p',
}
const sealed = seal(key, identity, contents)

const anyIdentity = fc.record({ namespace: fc.string(), name: fc.string(), account: fc.string() })

describe('the tag of a password', () => {
  test('is 64 hex digits and the same for the same password, which it leaves as it was', () => {
    const password = Buffer.from(secret)
    expect(tag(key, { ...identity, plugin }, password)).toBe(contents.tag)
    expect(contents.tag).toMatch(/^[0-9a-f]{64}$/)
    expect(password).toEqual(secret)
  })

  test('differs with each part of the identity, the plugin, the password and the key', () => {
    const tagged = { ...identity, plugin } as const
    const tags = [
      contents.tag,
      tag(otherKey, tagged, secret),
      tag(key, { ...tagged, namespace: 'stage' }, secret),
      tag(key, { ...tagged, name: 'order' }, secret),
      tag(key, { ...tagged, account: 'user' }, secret),
      tag(key, { ...tagged, plugin: 'mysql_native_password' }, secret),
      tag(key, tagged, Buffer.from('canary')),
    ]
    expect(new Set(tags).size).toBe(tags.length)
  })

  test('does not run the parts of an identity into each other', () => {
    const shift = (namespace: string, name: string, password: string) =>
      tag(key, { namespace, name, account: 'root', plugin }, Buffer.from(password))
    expect(shift('ab', 'c', 'p')).not.toBe(shift('a', 'bc', 'p'))
    expect(shift('a\0', 'b', 'p')).not.toBe(shift('a', '\0b', 'p'))
  })

  test.each([0, 31, 33])('refuses a key of %i bytes', (length) => {
    expect(() => tag(Buffer.alloc(length), { ...identity, plugin }, secret)).toThrow(/restore its Secret/)
  })
})

describe('a sealed password', () => {
  test('opens with the same key and identity', () => {
    expect(open(key, identity, sealed)).toEqual(contents)
  })

  test('opens whatever the identity is called', () => {
    fc.assert(
      fc.property(anyIdentity, fc.uint8Array({ minLength: 32, maxLength: 32 }), (someone, bytes) => {
        const someKey = Buffer.from(bytes)
        expect(open(someKey, someone, seal(someKey, someone, contents))).toEqual(contents)
      }),
    )
  })

  test('is versioned text of URL-safe characters that shows neither tag nor hash, new each time', () => {
    expect(sealed).toMatch(/^v1\.[-_A-Za-z0-9]+$/)
    const bytes = Buffer.from(sealed.slice(3), 'base64url').toString('latin1')
    for (const part of [contents.tag, credential.literal, contents.secretName])
      expect(bytes).not.toContain(part)
    expect(seal(key, identity, contents)).not.toBe(sealed)
  })

  test.each([1, 40, 256])('is as long for a password of %i bytes as for any other', (length) => {
    const password = Buffer.alloc(length, 'a')
    const another = {
      ...contents,
      tag: tag(key, { ...identity, plugin }, password),
      credential: createCredential(password, plugin),
    }
    expect(seal(key, identity, another)).toHaveLength(sealed.length)
  })

  test('does not open with any one byte changed', () => {
    for (let i = 0; i < sealed.length; i++) {
      for (const character of ['A', 'B', '.', ' ', '\n', '+']) {
        const changed = sealed.slice(0, i) + character + sealed.slice(i + 1)
        if (changed !== sealed) expect(open(key, identity, changed)).toBeUndefined()
      }
    }
  })

  test('does not open with any bit of its bytes changed', () => {
    const bytes = Buffer.from(sealed.slice(3), 'base64url')
    fc.assert(
      fc.property(fc.nat({ max: bytes.length * 8 - 1 }), (bit) => {
        const changed = Buffer.from(bytes)
        changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7))
        expect(open(key, identity, `v1.${changed.toString('base64url')}`)).toBeUndefined()
      }),
    )
  })

  test('does not open cut short or with anything added', () => {
    for (let length = 0; length < sealed.length; length++)
      expect(open(key, identity, sealed.slice(0, length))).toBeUndefined()
    for (const added of ['A', 'AAAA', '=', ' ', '\n']) {
      expect(open(key, identity, sealed + added)).toBeUndefined()
      expect(open(key, identity, added + sealed)).toBeUndefined()
    }
  })

  test('does not open as another version', () => {
    expect(open(key, identity, sealed.replace('v1.', 'v2.'))).toBeUndefined()
    expect(open(key, identity, sealed.replace('v1.', ''))).toBeUndefined()
  })

  test('does not open for any other identity', () => {
    fc.assert(
      fc.property(anyIdentity, (other) => {
        expect(open(key, other, sealed)).toBeUndefined()
      }),
    )
    for (const part of ['namespace', 'name', 'account'])
      expect(open(key, { ...identity, [part]: 'other' }, sealed)).toBeUndefined()
    const shifted = { namespace: 'shopo', name: 'rders', account: 'root' }
    expect(open(key, shifted, sealed)).toBeUndefined()
  })

  test('does not open with another key, nor with one of the wrong length', () => {
    expect(open(otherKey, identity, sealed)).toBeUndefined()
    expect(open(Buffer.alloc(0), identity, sealed)).toBeUndefined()
  })

  test('never throws, whatever the annotation says', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(open(key, identity, text)).toBeUndefined()
        expect(open(key, identity, `v1.${text}`)).toBeUndefined()
      }),
    )
  })

  test.each([
    ['tag', { ...contents, tag: 'canary' }],
    ['credential', { ...contents, credential: { plugin, literal: 'canary' } as const }],
    ['Secret name', { ...contents, secretName: '../canary' }],
    ['Secret name', { ...contents, secretName: '' }],
    ['Secret name', { ...contents, secretName: 'a'.repeat(254) }],
  ])('is not made of a malformed %s, and the error quotes nothing', (_, malformed) => {
    expect(() => seal(key, identity, malformed)).toThrow(TypeError)
    expect(() => seal(key, identity, malformed)).not.toThrow(/canary/)
  })
})
