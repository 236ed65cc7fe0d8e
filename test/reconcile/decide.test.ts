import { expect, test } from 'vitest'
import type { Account } from '../../src/api/names.ts'
import type { CredentialNames } from '../../src/desired/jobs/job.ts'
import { decide, type Plan } from '../../src/reconcile/decide.ts'
import { type Credentials, credentialsInForce } from '../../src/reconcile/decidePasswords.ts'
import type { Observed } from '../../src/reconcile/observe.ts'
import { mysql } from '../api/fixtures.ts'
import { claim, job, now, observed, pod } from './fixtures.ts'

const wanted = (root: string, user?: string): Credentials['wanted'] => ({
  root: { state: 'ready', secretName: root },
  user: user === undefined ? { state: 'none' } : { state: 'ready', secretName: user },
})
const waiting: Credentials['wanted'] = {
  root: { state: 'waiting', why: 'Secret x does not exist yet' },
  user: { state: 'none' },
}
const inForce = (root: string) => ({ root: { secretName: root, changedAt: '2026-01-02T03:06:00Z' } })
const fresh = { dataClaim: claim(), restore: undefined, pod: undefined }
const change = (
  credentials: CredentialNames,
  more: { keepOld?: Account[]; onlyCompare?: boolean } = {},
): Plan => ({
  do: 'changePasswords',
  credentials,
  keepOld: [],
  onlyCompare: false,
  ...more,
})
const restoreReport = (from: string | null) =>
  JSON.stringify({ version: '9.7.4', from, tables: 1, skippedAccounts: [], already: false })
const changing = (facts: Partial<Parameters<typeof job>[0]>) =>
  job({ uid: 'job-2', credentials: { root: 'shop-root-bbbbbbbbbb' }, ...facts })

const cases: Record<string, { o?: Partial<Observed>; wanted?: Credentials['wanted']; plan: Plan }> = {
  'everything as it should be: nothing to do': { plan: { do: 'wait' } },
  'data for the first time: note that there is something to lose': {
    o: { dataClaim: claim({ restoredFrom: 'none' }) },
    plan: { do: 'markInitialised' },
  },
  'a claim that the cache does not show yet: wait': {
    o: { ...fresh, dataClaim: undefined },
    plan: { do: 'wait' },
  },
  'a new database: restore as soon as the passwords are known, before the server is up': {
    o: fresh,
    plan: { do: 'restore', credentials: { root: 'shop-root-aaaaaaaaaa' } },
  },
  'a new database with an account: restore with both passwords': {
    o: fresh,
    wanted: wanted('shop-root-aaaaaaaaaa', 'shop-user-aaaaaaaaaa'),
    plan: { do: 'restore', credentials: { root: 'shop-root-aaaaaaaaaa', user: 'shop-user-aaaaaaaaaa' } },
  },
  'a new database whose password is waited for: wait': { o: fresh, wanted: waiting, plan: { do: 'wait' } },
  'a restore that runs: wait': {
    o: { dataClaim: claim(), restore: job({ state: 'running' }), pod: undefined },
    plan: { do: 'wait' },
  },
  'a restore that cannot start: wait, its image may come': {
    o: { dataClaim: claim(), restore: job({ state: 'running', stuck: 'ErrImagePull: no' }), pod: undefined },
    plan: { do: 'wait' },
  },
  'a restore that cannot start, and a spec that was corrected since: out of the way with it': {
    o: {
      dataClaim: claim(),
      restore: job({ state: 'running', stuck: 'ErrImagePull: no', generation: 0 }),
      pod: undefined,
    },
    plan: { do: 'removeJob', job: 'restore', uid: 'job-1' },
  },
  'a restore that succeeded: note what the database was made from': {
    o: { dataClaim: claim(), pod: undefined, restore: job({ report: restoreReport('dump.sql.gz') }) },
    plan: { do: 'markRestored', from: 'dump.sql.gz' },
  },
  'a restore that succeeded and whose report was lost: ask the database once more': {
    o: { dataClaim: claim(), pod: undefined, restore: job({ report: undefined }) },
    plan: { do: 'removeJob', job: 'restore', uid: 'job-1' },
  },
  'a restore that succeeded and whose report is not here yet: wait for it': {
    o: { dataClaim: claim(), pod: undefined, restore: job({ finishedAt: '2026-01-02T03:59:50Z' }) },
    plan: { do: 'wait', forMs: 2_000 },
  },
  'a restore that failed just now: wait before the next try': {
    o: {
      dataClaim: claim(),
      pod: undefined,
      restore: job({ state: 'failed', finishedAt: '2026-01-02T03:59:50Z' }),
    },
    plan: { do: 'wait', forMs: 20_000 },
  },
  'a restore that failed a while ago: out of the way with it': {
    o: { dataClaim: claim(), pod: undefined, restore: job({ state: 'failed' }) },
    plan: { do: 'removeJob', job: 'restore', uid: 'job-1' },
  },
  'a restore of another claim: out of the way with it': {
    o: { dataClaim: claim(), pod: undefined, restore: job({ claimUid: 'claim-0' }) },
    plan: { do: 'removeJob', job: 'restore', uid: 'job-1' },
  },
  'a restore of a former resource of that name: out of the way with it': {
    o: { dataClaim: claim(), pod: undefined, restore: job({ ownerUid: 'somebody' }) },
    plan: { do: 'removeJob', job: 'restore', uid: 'job-1' },
  },
  'another password: change it': {
    wanted: wanted('shop-root-bbbbbbbbbb'),
    plan: change({ root: 'shop-root-bbbbbbbbbb' }),
  },
  'a password for an account that had none: make it': {
    wanted: wanted('shop-root-aaaaaaaaaa', 'shop-user-aaaaaaaaaa'),
    plan: change({ user: 'shop-user-aaaaaaaaaa' }),
  },
  'a change that runs: wait': {
    o: { password: changing({ state: 'running' }) },
    wanted: wanted('shop-root-bbbbbbbbbb'),
    plan: { do: 'wait' },
  },
  'a change that cannot start, and a spec that was corrected since: out of the way with it': {
    o: { password: changing({ state: 'running', stuck: 'ErrImagePull: no', generation: 0 }) },
    wanted: wanted('shop-root-bbbbbbbbbb'),
    plan: { do: 'removeJob', job: 'password', uid: 'job-2', forget: [] },
  },
  'a change that succeeded: nothing more to change': {
    o: { password: changing({ finishedAt: '2026-01-02T03:50:00Z' }) },
    wanted: wanted('shop-root-bbbbbbbbbb'),
    plan: { do: 'wait' },
  },
  'a second change behind one that ended: the old Job goes first': {
    o: {
      mysql: mysql({ status: { credentials: inForce('shop-root-aaaaaaaaaa') } }),
      password: changing({ finishedAt: '2026-01-02T03:50:00Z' }),
    },
    wanted: wanted('shop-root-cccccccccc'),
    plan: { do: 'removeJob', job: 'password', uid: 'job-2', forget: ['shop-root-aaaaaaaaaa'] },
  },
  'a Job that is still going away: wait, never two of one name': {
    o: { password: changing({ state: 'deleting' }) },
    wanted: wanted('shop-root-cccccccccc'),
    plan: { do: 'wait' },
  },
  'a change that failed just now: wait before the same is tried again': {
    o: { password: changing({ state: 'failed', finishedAt: '2026-01-02T03:59:45Z' }) },
    wanted: wanted('shop-root-bbbbbbbbbb'),
    plan: { do: 'wait', forMs: 15_000 },
  },
  'a change that failed and is not wanted any more: replace it at once': {
    o: { password: changing({ state: 'failed', finishedAt: '2026-01-02T03:59:45Z' }) },
    wanted: wanted('shop-root-cccccccccc'),
    plan: { do: 'removeJob', job: 'password', uid: 'job-2', forget: ['shop-root-bbbbbbbbbb'] },
  },
  'a hash that is out of force: forget it': {
    o: {
      mysql: mysql({ status: { credentials: inForce('shop-root-aaaaaaaaaa') } }),
      password: changing({ finishedAt: '2026-01-02T03:50:00Z' }),
    },
    wanted: wanted('shop-root-bbbbbbbbbb'),
    plan: { do: 'forgetCredentials', secretNames: ['shop-root-aaaaaaaaaa'] },
  },
  'a claim taken over from a former resource, with accounts of unknown passwords: put ours in force': {
    o: { restore: undefined, mysql: mysql() },
    plan: change({ root: 'shop-root-aaaaaaaaaa' }),
  },
  'an unready server does not keep a password from being asked for': {
    o: { pod: pod({ ready: false }) },
    wanted: wanted('shop-root-bbbbbbbbbb'),
    plan: change({ root: 'shop-root-bbbbbbbbbb' }),
  },
}

test.each(Object.entries(cases))(
  '%s',
  (_, { o: facts, wanted: want = wanted('shop-root-aaaaaaaaaa'), plan }) => {
    const o = observed(facts)
    const credentials = { wanted: want, inForce: credentialsInForce(o) }
    expect(decide(o, credentials, now)).toEqual(plan)
  },
)

test('a Job of a former resource of that name puts nothing in force', () => {
  const o = observed({ restore: job({ ownerUid: 'somebody', credentials: { root: 'x' } }) })
  expect(credentialsInForce(o)).toEqual({})
})

test('an older Job does not undo what the status knows of a newer one', () => {
  const status = {
    credentials: { root: { secretName: 'shop-root-bbbbbbbbbb', changedAt: '2026-01-02T03:50:00Z' } },
  }
  expect(credentialsInForce(observed({ mysql: mysql({ status }) })).root?.secretName).toBe(
    'shop-root-bbbbbbbbbb',
  )
})
