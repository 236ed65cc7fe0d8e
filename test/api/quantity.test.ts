import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareQuantities, parseQuantity } from '../../src/api/quantity.ts'

test.each([
  ['1', 1000n],
  ['500m', 500n],
  ['1.5', 1500n],
  ['1Ki', 1_024_000n],
  ['1k', 1_000_000n],
  ['1e3', 1_000_000n],
  ['1E-3', 1n],
  ['0.0001', 1n],
  ['-2', -2000n],
  ['.5', 500n],
  ['1500u', 2n],
  ['5n', 1n],
  ['1e99', 10n ** 102n],
])('%s is %d thousandths', (text, value) => {
  expect(parseQuantity(text)).toBe(value)
})

test.each(['', 'Gi', '1 Gi', '1GB', '1K', 'abc', '1..2', '0x10', '.', '.Gi', '1e', '1e3Ki', '1e999'])(
  '%j is no quantity',
  (text) => {
    expect(parseQuantity(text)).toBeUndefined()
  },
)

test('more than 64 characters are no quantity', () => {
  expect(parseQuantity(`${'0'.repeat(63)}1`)).toBe(1000n)
  expect(parseQuantity(`${'0'.repeat(64)}1`)).toBeUndefined()
})

test('order is kept across units', () => {
  fc.assert(
    fc.property(fc.nat(1_000_000), fc.nat(1_000_000), (a, b) => {
      expect(compareQuantities(`${a}Ki`, `${b * 1024}`)).toBe(Math.sign(a - b))
    }),
  )
})

test('any text is either a quantity or undefined, never an error', () => {
  fc.assert(fc.property(fc.string(), (text) => ['bigint', 'undefined'].includes(typeof parseQuantity(text))))
})
