import { describe, expect, test } from 'vitest'
import { generatePassword } from '../../src/passwords/generate.ts'
import { passwordBytesProblem } from '../../src/passwords/policy.ts'

describe('a generated password', () => {
  test('has 24 letters and digits and begins with a letter', () => {
    for (let i = 0; i < 500; i++) expect(generatePassword().toString()).toMatch(/^[A-Za-z][A-Za-z0-9]{23}$/)
  })

  test.each([16, 17, 64])('has %i characters when asked to', (length) => {
    const password = generatePassword(length)
    expect(password).toHaveLength(length)
    expect(passwordBytesProblem(password)).toBeUndefined()
  })

  test.each([15, 65, 0, -16, 20.5, Number.NaN, Number.POSITIVE_INFINITY])(
    'is not made with a length of %d',
    (length) => {
      expect(() => generatePassword(length)).toThrow(/from 16 to 64/)
    },
  )

  test('has at least 128 bits at the default length', () => {
    expect(Math.log2(52) + 23 * Math.log2(62)).toBeGreaterThanOrEqual(128)
  })

  test('is another one each time', () => {
    expect(new Set(Array.from({ length: 1_000 }, () => generatePassword().toString())).size).toBe(1_000)
  })

  test('uses every character about as often as any other', () => {
    const count = new Map<string, number>()
    const samples = 2_000
    for (let i = 0; i < samples; i++)
      for (const character of generatePassword(64).toString().slice(1))
        count.set(character, (count.get(character) ?? 0) + 1)
    const expected = (samples * 63) / 62
    // Some seven standard deviations: a fair source leaves this range once in 10^10 runs.
    const allowed = 7 * Math.sqrt(expected)
    expect(count.size).toBe(62)
    for (const times of count.values()) expect(Math.abs(times - expected)).toBeLessThan(allowed)
  })
})
