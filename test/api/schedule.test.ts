import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hasWrongValue, isTimeZone, neverComes, nextRun } from '../../src/api/schedule.ts'

const runs = (schedule: string, timeZone: string, from: string, count: number): string[] => {
  let at = new Date(from)
  return Array.from({ length: count }, () => {
    at = nextRun(schedule, timeZone, at) ?? new Date(0)
    return at.toISOString().slice(0, 16)
  })
}

describe('when clocks change', () => {
  test('a time that the day skips comes right after the gap, and the day after it is itself again', () => {
    expect(runs('30 2 * * *', 'Europe/Berlin', '2026-03-28T00:00:00Z', 3)).toEqual([
      '2026-03-28T01:30',
      '2026-03-29T01:00',
      '2026-03-30T00:30',
    ])
  })

  test('a time that the day has twice comes once', () => {
    expect(runs('30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z', 2)).toEqual([
      '2026-10-25T00:30',
      '2026-10-26T01:30',
    ])
  })

  test('each hour is each hour, also the one that comes twice', () => {
    expect(runs('0 * * * *', 'Europe/Berlin', '2026-10-24T23:30:00Z', 4)).toEqual([
      '2026-10-25T00:00',
      '2026-10-25T01:00',
      '2026-10-25T02:00',
      '2026-10-25T03:00',
    ])
  })

  test('midnight may be what the day skips', () => {
    expect(runs('0 0 * * *', 'America/Santiago', '2026-09-05T12:00:00Z', 2)).toEqual([
      '2026-09-06T04:00',
      '2026-09-07T03:00',
    ])
  })
})

const number = (least: number, most: number) => fc.integer({ min: least, max: most }).map(String)
const field = (least: number, most: number) =>
  fc.oneof(
    fc.constant('*'),
    number(least, most),
    fc.integer({ min: 1, max: most }).map((step) => `*/${step}`),
    fc.tuple(number(least, most), number(least, most)).map(([a, b]) => `${a},${b}`),
    fc
      .tuple(fc.integer({ min: least, max: most }), fc.integer({ min: least, max: most }))
      .map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
  )
const schedules = fc
  .tuple(field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 7))
  .map((fields) => fields.join(' '))
const zones = fc.constantFrom(
  'UTC',
  'Europe/Berlin',
  'America/Santiago',
  'Africa/Cairo',
  'Australia/Lord_Howe',
)
const times = fc.date({ min: new Date('2020-01-01'), max: new Date('2040-01-01'), noInvalidDate: true })

test('the next run is in the future, and stays the same until it has come', () => {
  fc.assert(
    fc.property(
      schedules,
      zones,
      times,
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (schedule, zone, now, part) => {
        expect(hasWrongValue(schedule)).toBe(false)
        const next = nextRun(schedule, zone, now)?.getTime() ?? 0
        expect(next).toBeGreaterThan(now.getTime())
        const between = new Date(now.getTime() + Math.floor(part * (next - now.getTime())))
        expect(nextRun(schedule, zone, between)?.getTime()).toBe(next)
        expect(nextRun(schedule, zone, new Date(next))?.getTime()).toBeGreaterThan(next)
      },
    ),
    { numRuns: 200 },
  )
})

test.each([
  '60 * * * *',
  '* 24 * * *',
  '* * 0 * *',
  '* * 32 * *',
  '* * * 13 *',
  '* * * * 8',
  '* * * FOO *',
  '30-10 * * * *',
  '*/0 * * * *',
])('a value that its field does not take: %s', (schedule) => {
  expect(hasWrongValue(schedule)).toBe(true)
  expect(nextRun(schedule, 'UTC', new Date())).toBeUndefined()
})

test.each(['0 0 31 2 *', '0 0 30 2 *', '0 0 31 4,6,9,11 *'])('a day that no year has: %s', (schedule) => {
  expect(neverComes(schedule)).toBe(true)
})

test.each(['0 0 29 2 *', '0 0 31 2 MON', '0 0 31 JAN,FEB *', '*/15 8-18/2 * * MON-FRI'])(
  'a schedule that comes: %s',
  (schedule) => {
    expect(neverComes(schedule)).toBe(false)
    expect(hasWrongValue(schedule)).toBe(false)
  },
)

test.each([
  ['UTC', true],
  ['Europe/Berlin', true],
  ['Etc/GMT+2', true],
  ['Mars/Olympus', false],
  ['+02:00', false],
  ['Local', false],
  ['', false],
  ['../Berlin', false],
])('%j is a time zone: %s', (name, expected) => {
  expect(isTimeZone(name)).toBe(expected)
})
