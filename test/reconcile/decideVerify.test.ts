import { describe, expect, test } from 'vitest'
import type { MySQLStatus } from '../../src/api/schema.ts'
import { decide } from '../../src/reconcile/decide.ts'
import { decideVerify, nextVerifyLook } from '../../src/reconcile/decideVerify.ts'
import type { Observed } from '../../src/reconcile/observe.ts'
import { mysql } from '../api/fixtures.ts'
import { claim, job, now, observed } from './fixtures.ts'

type Backup = NonNullable<MySQLStatus['backup']>
const lastRun = '2026-01-02T03:05:00Z'
const file = 'shop-2.sql.gz'
const judged = (of: string, result: 'Good' | 'Bad' | 'Unknown' = 'Good') => ({
  verification: { startedAt: lastRun, file: of, result },
})

/** A dump is there; each third one is verified. It is 04:00. */
const given = (backup: Backup, facts: Partial<Observed> = {}, verifyEvery = 3) =>
  observed({
    mysql: mysql({
      spec: { backup: { ...mysql().spec.backup, verifyEvery } },
      status: { backup: { file, lastRun, ...backup } },
    }),
    ...facts,
  })

const start = { do: 'verify', dump: file }
const away = { do: 'removeJob', job: 'verify', uid: 'job-1' }
const running = job({ state: 'running', verifies: file })

const cases: Record<string, [Observed, unknown]> = {
  'no dump yet': [observed(), undefined],
  'the first dump': [given({}), start],
  'the first dump, and no verification is wanted': [given({}, {}, 0), undefined],
  'a dump whose turn has not come': [given({ ...judged('shop-1.sql.gz'), sinceVerified: 2 }), undefined],
  'a dump whose turn has come': [given({ ...judged('shop-1.sql.gz'), sinceVerified: 3 }), start],
  'a dump whose turn has come since fewer are wanted': [
    given({ ...judged('shop-1.sql.gz'), sinceVerified: 1 }, {}, 1),
    start,
  ],
  'a dump that was tried': [given({ ...judged(file), sinceVerified: 0 }, {}, 1), undefined],
  'a dump whose verification failed itself: not again': [given(judged(file, 'Unknown')), undefined],
  'the dump after one whose verification failed itself': [given(judged('shop-1.sql.gz', 'Unknown')), start],
  'a dump is being made': [given({}, { backup: job({ state: 'running' }) }), undefined],
  'a dump is on its way out': [given({}, { backup: job({ state: 'deleting' }) }), undefined],
  'a dump was made that the status does not name yet': [
    given({ lastRun: '2026-01-02T02:05:00Z' }, { backup: job() }),
    undefined,
  ],
  'a verification is under way': [given({}, { verify: running }), undefined],
  'a verification cannot start, and the spec was corrected since': [
    given({}, { verify: { ...running, started: false, generation: 0 } }),
    away,
  ],
  'a verification has ended, and the status does not say so yet': [
    given({}, { verify: job({ verifies: file }) }),
    undefined,
  ],
  'a verification that found the dump good is noted: its volume goes': [
    given(judged(file), { verify: job({ verifies: file }) }),
    away,
  ],
  'a verification that failed is noted: its log can be read': [
    given(judged(file, 'Bad'), {
      verify: job({ verifies: file, state: 'failed', finishedAt: '2026-01-02T03:10:00Z' }),
    }),
    undefined,
  ],
  'a verification that failed an hour ago': [
    given(judged(file, 'Bad'), {
      verify: job({ verifies: file, state: 'failed', finishedAt: '2026-01-02T03:00:00Z' }),
    }),
    away,
  ],
  'a verification that failed, and the next dump is to be tried': [
    given(judged('shop-1.sql.gz', 'Unknown'), { verify: job({ state: 'failed' }) }),
    away,
  ],
  'a verification of a former resource’s': [given({}, { verify: { ...running, ownerUid: 'other' } }), away],
  'a verification on its way out': [given({}, { verify: job({ state: 'deleting' }) }), undefined],
}

test.each(Object.entries(cases))('%s', (_, [o, plan]) => {
  expect(decideVerify(o, now)).toEqual(plan)
})

describe('one at a time:', () => {
  const due = {
    spec: { backup: { ...mysql().spec.backup, schedule: '30 * * * *' } },
    status: { backup: { file, lastRun, nextRun: '2026-01-02T03:30:00Z' } },
  }
  const next = (facts: Partial<Observed>) => {
    const none = { state: 'none' } as const
    return decide(
      observed({ mysql: mysql(due), ...facts }),
      { wanted: { root: none, user: none }, inForce: {} },
      now,
    )
  }
  test('a dump that is due waits for a verification that is at work', () => {
    expect(next({ verify: running })).toEqual({ do: 'wait' })
  })
  test('and for the end of one on its way out', () => {
    expect(next({ verify: job({ state: 'deleting' }) })).toEqual({ do: 'wait' })
  })
  test('but not for one that does not start', () => {
    expect(next({ verify: { ...running, started: false } })).toEqual(away)
  })
  test('nor for one that has ended', () => {
    expect(next({ verify: job({ state: 'failed' }) })).toMatchObject({ do: 'backup' })
  })
  test('a restore waits for no verification', () => {
    const fresh = { dataClaim: claim({ initialised: true }), restore: undefined }
    expect(next({ ...fresh, verify: running })).toEqual(away)
    expect(next({ ...fresh, verify: job({ state: 'deleting' }) })).toEqual({ do: 'wait' })
  })
})

describe('the next look', () => {
  const looks: Record<string, [Observed, number[]]> = {
    'is not needed without a verification': [given({}), []],
    'is not needed while one is at work': [given({}, { verify: running }), []],
    'comes when a pod should have started': [
      given({}, { verify: { ...running, started: false, startedAt: '2026-01-02T03:59:00Z' } }),
      [60_000],
    ],
    'comes when a report is overdue': [
      given({}, { verify: job({ state: 'failed', finishedAt: '2026-01-02T03:59:40Z' }) }),
      [10_000],
    ],
    'comes when a failed one’s volume goes': [
      given(judged(file, 'Bad'), { verify: job({ state: 'failed', finishedAt: '2026-01-02T03:30:00Z' }) }),
      [1_800_000],
    ],
  }
  test.each(Object.entries(looks))('%s', (_, [o, ms]) => {
    expect(nextVerifyLook(o, now)).toEqual(ms)
  })
})
