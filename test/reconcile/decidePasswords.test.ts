import { describe, expect, test } from 'vitest'
import { annotations } from '../../src/api/names.ts'
import type { MySQLStatus } from '../../src/api/schema.ts'
import { credentialsFinding } from '../../src/reconcile/credentialsFinding.ts'
import { decide, type Plan } from '../../src/reconcile/decide.ts'
import {
  type Credentials,
  credentialsInForce,
  nextPasswordLook,
} from '../../src/reconcile/decidePasswords.ts'
import type { JobFact } from '../../src/reconcile/jobs.ts'
import type { Observed } from '../../src/reconcile/observe.ts'
import { untilNextTurn } from '../../src/reconcile/turns.ts'
import { mysql } from '../api/fixtures.ts'
import { job, now, observed, pod } from './fixtures.ts'

const wanted = (root = 'shop-root-bbbbbbbbbb'): Credentials['wanted'] => ({
  root: { state: 'ready', secretName: root },
  user: { state: 'none' },
})
/** Changed ten minutes before now. */
const changedAt = '2026-01-02T03:50:00Z'
const changed = (facts: Partial<JobFact> = {}) =>
  job({
    uid: 'job-2',
    credentials: { root: 'shop-root-bbbbbbbbbb' },
    keepsOld: ['root'],
    finishedAt: changedAt,
    ...facts,
  })
const reported = (was: string, old: boolean) => JSON.stringify({ accounts: [{ account: 'root', was, old }] })

interface Given {
  grace?: number
  credentials?: MySQLStatus['credentials']
  reason?: string
  requestedAt?: string
  o?: Partial<Observed>
}
const given = ({ grace = 3600, credentials, reason, requestedAt, o }: Given) => {
  const conditions = [
    {
      type: 'CredentialsReady',
      status: 'False',
      reason,
      message: 'as before',
      lastTransitionTime: changedAt,
    },
  ] as NonNullable<MySQLStatus['conditions']>
  const status = { ...(credentials && { credentials }), ...(reason && { conditions }) }
  const metadata =
    requestedAt === undefined ? {} : { annotations: { [annotations.requestedAt]: requestedAt } }
  return observed({ mysql: mysql({ metadata, spec: { passwordGraceSeconds: grace }, status }), ...o })
}
const credentialsOf = (o: Observed, want = wanted()): Credentials => ({
  wanted: want,
  inForce: credentialsInForce(o),
})
const noted = (until?: string) => ({
  root: {
    secretName: 'shop-root-bbbbbbbbbb',
    changedAt,
    ...(until === undefined ? {} : { oldPasswordUntil: until }),
  },
})
const ends: Plan = {
  do: 'changePasswords',
  credentials: { root: 'shop-root-bbbbbbbbbb' },
  keepOld: [],
  onlyCompare: false,
}
const compares: Plan = { ...ends, onlyCompare: true }
const away: Plan = { do: 'removeJob', job: 'password', uid: 'job-2', forget: [] }

describe('the password before', () => {
  const until = (facts: Given) => credentialsInForce(given(facts)).root?.oldPasswordUntil

  test.each<[string, Given, string | undefined]>([
    ['works until the grace period is over', { o: { password: changed() } }, '2026-01-02T04:50:00Z'],
    [
      'works by the spec of now, not by that of the change',
      { grace: 7200, credentials: noted('2026-01-02T04:50:00Z') },
      '2026-01-02T05:50:00Z',
    ],
    [
      'is over at once when the grace period was set to 0',
      { grace: 0, credentials: noted('2026-01-02T04:50:00Z') },
      changedAt,
    ],
    ['is none after a Job that keeps none', { o: { password: changed({ keepsOld: [] }) } }, undefined],
    [
      'is none where the server could not keep it',
      { o: { password: changed({ report: reported('changed', false) }) } },
      undefined,
    ],
    [
      'stays through a Job that only compares',
      { credentials: noted('x'), o: { password: changed({ keepsOld: [], onlyCompares: true }) } },
      '2026-01-02T04:50:00Z',
    ],
    [
      'ends with the Job that ends it, and the time of the change stays',
      {
        credentials: noted('x'),
        o: { password: changed({ keepsOld: [], finishedAt: '2026-01-02T03:59:00Z' }) },
      },
      undefined,
    ],
  ])('%s', (_, facts, expected) => {
    expect(until(facts)).toBe(expected)
    expect(credentialsInForce(given(facts)).root).toMatchObject({
      secretName: 'shop-root-bbbbbbbbbb',
      changedAt,
    })
  })
})

const uid = mysql().metadata.uid ?? ''
const itsTurn = new Date(now.getTime() + untilNextTurn(uid, 0, now))
const before = (time: Date, minutes: number) => new Date(time.getTime() - minutes * 60_000)
const seen = (time: Date) => ({ root: { secretName: 'shop-root-bbbbbbbbbb', changedAt: time.toISOString() } })

test('a Secret that is not a hash of this account is not believed to be in force, whoever wrote it', () => {
  for (const secretName of ['somebody-elses', 'shop-user-bbbbbbbbbb', 'shop-root-not-hex', 'shop-root']) {
    const credentials = { root: { secretName, changedAt, oldPasswordUntil: changedAt } }
    expect(credentialsInForce(given({ credentials }))).toEqual({})
    const o = given({ o: { password: changed({ credentials: { root: secretName } }) } })
    expect(credentialsInForce(o)).toEqual({})
  }
})

const cases: Record<string, Given & { want?: Credentials['wanted']; at?: Date; plan: Plan }> = {
  'a change with a grace period keeps the password before': {
    plan: { ...ends, keepOld: ['root'] },
  },
  'a change without one keeps none': { grace: 0, plan: ends },
  'a grace period that is not over: wait': { o: { password: changed() }, plan: { do: 'wait' } },
  'one that is over: the Job of the change goes': { grace: 600, o: { password: changed() }, plan: away },
  'one that is over, and no Job in the way: end it': { grace: 600, credentials: noted('x'), plan: ends },
  'one that is set to 0: end it': { grace: 0, credentials: noted('2027-01-01T00:00:00Z'), plan: ends },
  'one that is over while the password is waited for: end it all the same': {
    grace: 600,
    credentials: noted('x'),
    want: { root: { state: 'waiting', why: 'Secret x does not exist yet' }, user: { state: 'none' } },
    plan: ends,
  },
  'one that is over when another account changes: one Job for both': {
    grace: 600,
    credentials: noted('x'),
    want: { ...wanted(), user: { state: 'ready', secretName: 'shop-user-aaaaaaaaaa' } },
    plan: {
      ...ends,
      credentials: { root: 'shop-root-bbbbbbbbbb', user: 'shop-user-aaaaaaaaaa' },
      keepOld: ['user'],
    },
  },
  'an end that failed just now: wait before it is tried again': {
    grace: 600,
    credentials: noted('x'),
    o: { password: changed({ state: 'failed', keepsOld: [], finishedAt: '2026-01-02T03:59:45Z' }) },
    plan: { do: 'wait', forMs: 15_000 },
  },
  'passwords that nobody has looked at since the turn before: compare': {
    grace: 0,
    credentials: seen(before(itsTurn, 60)),
    o: { restore: undefined },
    at: itsTurn,
    plan: compares,
  },
  'the same while the server is away: wait': {
    grace: 0,
    credentials: seen(before(itsTurn, 60)),
    o: { restore: undefined, pod: pod({ ready: false }) },
    at: itsTurn,
    plan: { do: 'wait' },
  },
  'passwords that nobody has looked at for a day, out of turn: wait': {
    grace: 0,
    credentials: seen(before(itsTurn, 24 * 60)),
    o: { restore: undefined },
    at: before(itsTurn, 1),
    plan: { do: 'wait' },
  },
  'passwords that were changed just before the turn: wait': {
    grace: 0,
    credentials: seen(before(itsTurn, 20)),
    o: { restore: undefined },
    at: itsTurn,
    plan: { do: 'wait' },
  },
  'a comparison that failed in this turn: wait for the next one': {
    credentials: seen(before(itsTurn, 60)),
    o: {
      restore: undefined,
      password: changed({ onlyCompares: true, state: 'failed', finishedAt: itsTurn.toISOString() }),
    },
    at: itsTurn,
    plan: { do: 'wait' },
  },
  'somebody who asks: compare at once': { credentials: noted(), requestedAt: 'now', plan: compares },
  'somebody who asked, and a Job that answers: wait': {
    credentials: noted(),
    requestedAt: 'now',
    o: { password: changed({ onlyCompares: true, requestedAt: 'now' }) },
    plan: { do: 'wait' },
  },
  'somebody who asks about passwords that were changed by hand: put ours back': {
    credentials: noted(),
    reason: 'Drifted',
    requestedAt: 'now',
    plan: ends,
  },
  'passwords that were changed by hand, and nobody who asks: leave them alone': {
    credentials: noted(),
    reason: 'Drifted',
    o: { password: changed({ onlyCompares: true, report: reported('drifted', false) }) },
    plan: { do: 'wait' },
  },
  'a comparison that runs when a password changes: out of the way with it': {
    credentials: noted(),
    o: { password: changed({ onlyCompares: true, state: 'running' }) },
    want: wanted('shop-root-cccccccccc'),
    plan: away,
  },
}

test.each(Object.entries(cases))('%s', (_, { want, plan, at = now, ...facts }) => {
  const o = given(facts)
  expect(decide(o, credentialsOf(o, want), at)).toEqual(plan)
})

test('looks again when the password before ends, and when its turn comes', () => {
  const o = given({ o: { password: changed() } })
  const turn = untilNextTurn(uid, Date.parse(changedAt), now)
  expect(nextPasswordLook(o, credentialsOf(o), now)).toEqual([50 * 60_000, turn])
})

describe('what people read', () => {
  const says = (facts: Given, want = wanted()) => {
    const o = given(facts)
    return credentialsFinding(o, credentialsOf(o, want), now)
  }

  test('how long the password before works', () => {
    expect(says({ o: { password: changed() } })).toMatchObject({
      reason: 'InForce',
      message:
        'Every password that was asked for is in force. ' +
        'The password of root before it works as well until 2026-01-02T04:50:00Z.',
    })
  })

  test('that it could not be ended', () => {
    const failed = changed({ state: 'failed', keepsOld: [], report: '{"error":"the server is read-only"}' })
    const facts = { grace: 600, credentials: noted('x'), o: { password: failed } }
    expect(says(facts)).toMatchObject({ status: 'False', reason: 'Failed' })
    expect(says(facts).message).toContain('the server is read-only')
  })

  test('that a password that was changed by hand could not be put back, although somebody asked', () => {
    const failed = changed({ state: 'failed', report: '{"error":"the server is read-only"}' })
    const facts = { credentials: noted(), reason: 'Drifted', o: { password: failed } }
    expect(says(facts)).toMatchObject({ status: 'False', reason: 'Drifted' })
    expect(says(facts).message).toMatch(/could not be put back.*the server is read-only.*Request a reconcile/)
  })

  test('that a password was changed by hand, until a Job finds otherwise', () => {
    const found = { onlyCompares: true, report: reported('drifted', false) }
    const message = expect.stringContaining('Somebody changed the password of root with SQL')
    expect(says({ credentials: noted(), o: { password: changed(found) } })).toMatchObject({
      status: 'False',
      reason: 'Drifted',
      message,
    })
    const drifted = { credentials: noted(), reason: 'Drifted' }
    expect(says(drifted)).toMatchObject({ reason: 'Drifted', message: 'as before' })
    const put = changed({ keepsOld: [], report: reported('changed', false) })
    expect(says({ ...drifted, o: { password: put } })).toMatchObject({ status: 'True', reason: 'InForce' })
  })
})
