import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isItsTurn, untilNextTurn } from '../../src/reconcile/turns.ts'

const minute = 60_000
const hour = 60 * minute
const start = Date.parse('2026-01-02T03:00:00Z')
const times = fc.integer({ min: start, max: start + 1000 * hour })

test('comes when it was said to come, and within an hour', () => {
  fc.assert(
    fc.property(fc.uuid(), times, (uid, now) => {
      const wait = untilNextTurn(uid, 0, new Date(now))
      expect(wait).toBeGreaterThan(0)
      expect(wait).toBeLessThanOrEqual(hour)
      expect(isItsTurn(uid, 0, new Date(now + wait))).toBe(true)
      expect(isItsTurn(uid, 0, new Date(now + wait - 1))).toBe(false)
    }),
  )
})

test('comes once in whatever hour, and after at most one and a half', () => {
  fc.assert(
    fc.property(fc.uuid(), times, (uid, lastDone) => {
      const first = lastDone + untilNextTurn(uid, lastDone, new Date(lastDone))
      expect(first - lastDone).toBeGreaterThanOrEqual(hour / 2)
      expect(first - lastDone).toBeLessThanOrEqual(hour * 1.5)
      expect(first + untilNextTurn(uid, first, new Date(first))).toBe(first + hour)
      expect(isItsTurn(uid, first, new Date(first + minute))).toBe(false)
    }),
  )
})

test('of a thousand that all missed theirs comes for no more than a third at once', () => {
  const uids = Array.from(
    { length: 1000 },
    (_, n) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
  )
  const now = new Date(start)
  expect(uids.filter((uid) => isItsTurn(uid, 0, now)).length).toBeLessThan(333)
})
