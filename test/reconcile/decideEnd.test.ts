import { expect, test } from 'vitest'
import type { MySQLSpec } from '../../src/api/schema.ts'
import { decideEnd, type EndPlan, mayHaveData } from '../../src/reconcile/decideEnd.ts'
import type { Observed } from '../../src/reconcile/observe.ts'
import { mysql } from '../api/fixtures.ts'
import { claim, job, now, observed, pod, workload } from './fixtures.ts'

const policy = (deletionPolicy: string) => ({
  mysql: mysql({ spec: { deletionPolicy } as Partial<MySQLSpec> }),
})
const neverStarted = pod({ ready: false, initialised: false, everStarted: false })

const deleted = { mysql: mysql({ metadata: { deletionTimestamp: '2026-01-02T03:05:00Z' } }) }
const report = JSON.stringify({
  file: 'shop-1.sql.gz',
  bytes: 1,
  tables: 1,
  sha256: 'a'.repeat(64),
  version: '9.7.4',
  incomplete: [],
})
const lastDump = (facts: Parameters<typeof job>[0] = {}) => job({ isLastDump: true, ...facts })
const dumped = (facts: Parameters<typeof job>[0] = {}) => lastDump({ report, ...facts })

const cases: Record<string, { o?: Partial<Observed>; terminating?: boolean; plan: EndPlan }> = {
  'a database with data: a last dump first': { plan: { do: 'dump' } },
  'an unknown policy is treated as the careful one': { o: policy('Keep'), plan: { do: 'dump' } },
  'Retain: no dump': { o: policy('Retain'), plan: { do: 'remove' } },
  'Delete: no dump': { o: policy('Delete'), plan: { do: 'remove' } },
  'a namespace that goes: let go at once': { terminating: true, plan: { do: 'release' } },
  'no workload to dump from: make it again': { o: { workload: undefined }, plan: { do: 'startServer' } },
  'a dump that runs: wait': {
    o: { backup: lastDump({ state: 'running' }) },
    plan: { do: 'waitForDump', stuck: undefined },
  },
  'a dump that cannot start: wait and say why': {
    o: { backup: lastDump({ state: 'running', stuck: 'ErrImagePull: no' }) },
    plan: { do: 'waitForDump', stuck: 'ErrImagePull: no' },
  },
  'a verification is under way: it makes way': {
    o: { verify: job({ state: 'running' }) },
    plan: { do: 'removeJob', job: 'verify', uid: 'job-1' },
  },
  'a verification on its way out: the dump waits for its end': {
    o: { verify: job({ state: 'deleting' }) },
    plan: { do: 'waitForDump', stuck: undefined },
  },
  'a dump that succeeded: remove the rest': { o: { backup: dumped() }, plan: { do: 'remove' } },
  'a success whose report is on its way: wait': {
    o: { backup: dumped({ report: undefined, finishedAt: '2026-01-02T03:59:50Z' }) },
    plan: { do: 'waitForDump', stuck: undefined },
  },
  'a success with nothing to show for it: make a dump': {
    o: { backup: dumped({ report: undefined }) },
    plan: { do: 'removeJob', job: 'backup', uid: 'job-1' },
  },
  'a success from before the deletion began, which somebody else made: make a dump': {
    o: { ...deleted, backup: dumped({ startedAt: '2020-01-01T00:00:00Z' }) },
    plan: { do: 'removeJob', job: 'backup', uid: 'job-1' },
  },
  'a success of another claim: make a dump': {
    o: { backup: dumped({ claimUid: 'claim-0' }) },
    plan: { do: 'removeJob', job: 'backup', uid: 'job-1' },
  },
  'a dump of a former resource of that name is no dump of this one': {
    o: { backup: lastDump({ ownerUid: 'somebody' }) },
    plan: { do: 'removeJob', job: 'backup', uid: 'job-1' },
  },
  'a dump that failed just now: the data stays, try again later': {
    o: { backup: lastDump({ state: 'failed', finishedAt: '2026-01-02T03:59:30Z' }) },
    plan: { do: 'retryLater', forMs: 30_000 },
  },
  'a dump that failed a while ago: make another': {
    o: { backup: lastDump({ state: 'failed' }) },
    plan: { do: 'removeJob', job: 'backup', uid: 'job-1' },
  },
  'a failed dump and a policy that changed meanwhile: remove': {
    o: { ...policy('Delete'), backup: lastDump({ state: 'failed' }) },
    plan: { do: 'remove' },
  },
  'a dump of the schedule that still runs lets writes in: away with it, and make the last one': {
    o: { backup: job({ state: 'running', scheduledFor: '2026-01-02T03:04:00Z' }) },
    plan: { do: 'removeJob', job: 'backup', uid: 'job-1' },
  },
  'a dump of the schedule that began in the second of the deletion, and succeeded, is not the last one': {
    o: { ...deleted, backup: job({ report }) },
    plan: { do: 'removeJob', job: 'backup', uid: 'job-1' },
  },
  'a dump of the schedule that failed just now: no reason to wait with the last one': {
    o: { backup: job({ state: 'failed', finishedAt: '2026-01-02T03:59:30Z' }) },
    plan: { do: 'removeJob', job: 'backup', uid: 'job-1' },
  },
  'a restore that still runs is ended before the dump looks': {
    o: { restore: job({ state: 'running' }) },
    plan: { do: 'removeJob', job: 'restore', uid: 'job-1' },
  },
  'a dump that cannot start, and a spec that was corrected since: make another': {
    o: { backup: lastDump({ state: 'running', stuck: 'ErrImagePull: no', generation: 0 }) },
    plan: { do: 'removeJob', job: 'backup', uid: 'job-1' },
  },
  'an image that never existed: nothing to dump, and a note of that before the proof goes': {
    o: { dataClaim: claim(), pod: neverStarted, restore: job({ state: 'running' }) },
    plan: { do: 'markEmpty' },
  },
  'a restore that is being removed, and may have succeeded before: there may be data': {
    o: { dataClaim: claim(), pod: neverStarted, restore: job({ state: 'deleting' }) },
    plan: { do: 'waitForDump', stuck: undefined },
  },
  'an image that never existed, when the proof is gone: go on removing': {
    o: { dataClaim: claim({ nothingToDump: mysql().metadata.uid }), pod: undefined, workload: undefined },
    plan: { do: 'remove' },
  },
  'the note of a former resource of that name': {
    o: { dataClaim: claim({ nothingToDump: 'somebody' }), pod: undefined },
    plan: { do: 'dump' },
  },
}

test.each(Object.entries(cases))('%s', (_, { o, terminating = false, plan }) => {
  expect(decideEnd(observed(o), terminating, now)).toEqual(plan)
})

test.each<[string, boolean, Partial<Observed>]>([
  ['no claim', false, { dataClaim: undefined }],
  ['a claim that never got a volume', false, { dataClaim: claim({ phase: 'Pending' }), pod: neverStarted }],
  [
    'a first pod that never started, and a restore that waits for it',
    false,
    { dataClaim: claim(), pod: neverStarted, restore: job({ state: 'running' }) },
  ],
  [
    'a pod that never started after a restore that succeeded, perhaps on another node',
    true,
    { dataClaim: claim(), pod: neverStarted },
  ],
  [
    'a pod that never started, and nobody who knows whether there was a restore',
    true,
    { dataClaim: claim(), pod: neverStarted, restore: undefined },
  ],
  [
    'a pod that never started after an earlier template',
    true,
    { dataClaim: claim(), pod: neverStarted, workload: workload(2), restore: job({ state: 'running' }) },
  ],
  ['a bound claim and no pod to ask', true, { dataClaim: claim(), pod: undefined }],
  ['an init container that ended well', true, { dataClaim: claim(), pod: pod({ ready: false }) }],
  [
    'data that came after the note that there is none',
    true,
    { dataClaim: claim({ nothingToDump: mysql().metadata.uid }), pod: pod({ ready: false }) },
  ],
  [
    'a mark on the claim, whatever the pod',
    true,
    { dataClaim: claim({ initialised: true }), pod: neverStarted },
  ],
])('%s: there may be data is %s', (_, expected, facts) => {
  expect(mayHaveData(observed(facts))).toBe(expected)
})
