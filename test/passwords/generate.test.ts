import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { generatedLength, generatePassword } from '../../src/passwords/generate.ts'
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

  const anyLength = fc.integer({ min: generatedLength.minimum, max: generatedLength.maximum })

  test('of any length is itself in a URL, in an option file, in JSON, in YAML and in SQL', () => {
    fc.assert(
      fc.property(anyLength, (length) => {
        const password = generatePassword(length).toString()
        expect(password).toHaveLength(length)
        const url = new URL(`mysql://root:${password}@shop:3306/orders?password=${password}`)
        expect([url.password, url.searchParams.get('password'), url.hostname]).toEqual([
          password,
          password,
          'shop',
        ])
        expect(encodeURIComponent(password)).toBe(password)
        expect(JSON.stringify({ password })).toBe(`{"password":"${password}"}`)
        // A number, a date or a word such as `null` would be something else in YAML.
        expect(parse(`password: ${password}`)).toEqual({ password })
        // What ends a value, escapes, quotes or begins a comment, in option files and SQL.
        expect(password).not.toMatch(/[\s#;=[\]'"`\\$%!]/)
      }),
      { numRuns: 200 },
    )
  })

  test('is itself in a shell, unquoted', () => {
    const passwords = Array.from({ length: 49 }, (_, i) => generatePassword(16 + i).toString())
    const script = passwords.map((password) => `echo ${password}; x=${password}; eval "echo $x"`).join('\n')
    const printed = execFileSync('sh', ['-c', script], { encoding: 'utf8' }).trim().split('\n')
    expect(printed).toEqual(passwords.flatMap((password) => [password, password]))
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
