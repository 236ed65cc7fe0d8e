import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { passwordBytesProblem, passwordProblem } from '../../src/passwords/policy.ts'

describe('a password', () => {
  test.each([
    'a',
    ' ',
    'a'.repeat(256),
    'ä'.repeat(128),
    '€'.repeat(85),
    '😀'.repeat(64),
    '\'"\\\n$`',
    '\u0001',
  ])('like %j can be used', (password) => {
    expect(passwordProblem(password)).toBeUndefined()
  })

  test.each([
    ['of no bytes', '', /is empty/],
    ['of 257 bytes', 'a'.repeat(257), /longer than 256 bytes/],
    ['of 129 characters and 258 bytes', 'ä'.repeat(129), /longer than 256 bytes/],
    ['with a NUL', 'canary\0', /NUL/],
    ['with half a surrogate pair', 'canary\ud83d', /well-formed/],
    ['with the other half', '\ude00canary', /well-formed/],
  ])('%s is refused', (_, password, words) => {
    expect(passwordProblem(password)).toMatch(words)
  })

  test('that is refused is not quoted', () => {
    const piece = fc.constantFrom('canary', '\0', '\ud83d', 'canary'.repeat(50))
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        expect(passwordProblem(pieces.join('')) ?? '').not.toContain('canary')
      }),
    )
  })

  test('of bytes that are not UTF-8 is refused', () => {
    expect(passwordBytesProblem(Buffer.from([0x63, 0xc3]))).toMatch(/not valid UTF-8/)
    expect(passwordBytesProblem(Buffer.from([0xed, 0xa0, 0x80]))).toMatch(/not valid UTF-8/)
  })

  test('is judged alike as text and as bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        fc.pre(text.isWellFormed())
        expect(passwordBytesProblem(Buffer.from(text))).toBe(passwordProblem(text))
      }),
    )
  })
})
