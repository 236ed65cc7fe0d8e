import type { MySQL } from '../../src/api/mysql.ts'
import { annotations } from '../../src/api/names.ts'
import type { PersistentVolumeClaim, StatefulSet } from '../../src/kube/kinds.ts'
import type { JobFact } from '../../src/reconcile/jobs.ts'
import type { Observed, PodFact } from '../../src/reconcile/observe.ts'
import { mysql } from '../api/fixtures.ts'

export const now = new Date('2026-01-02T04:00:00Z')

interface Marks {
  initialised?: boolean
  restoredFrom?: string
  nothingToDump?: string | undefined
  phase?: string
}

export const claim = (marks: Marks = {}) =>
  ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name: 'shop-pvc',
      namespace: 'team',
      uid: 'claim-1',
      annotations: {
        ...(marks.initialised ? { [annotations.initialised]: '2026-01-02T03:05:00Z' } : {}),
        ...(marks.restoredFrom === undefined
          ? {}
          : {
              [annotations.restoredFrom]: marks.restoredFrom,
              [annotations.serverImage]: mysql().spec.image,
            }),
        ...(marks.nothingToDump === undefined ? {} : { [annotations.nothingToDump]: marks.nothingToDump }),
      },
    },
    status: { phase: marks.phase ?? 'Bound' },
  }) satisfies PersistentVolumeClaim

export const workload = (generation = 1) =>
  ({
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'shop', generation },
  }) satisfies StatefulSet

export const pod = (facts: Partial<PodFact> = {}): PodFact => ({
  ready: true,
  initialised: true,
  everStarted: true,
  version: '9.7.4',
  stuck: undefined,
  unschedulable: undefined,
  ...facts,
})

export const job = (facts: Partial<JobFact> = {}): JobFact => ({
  state: 'succeeded',
  uid: 'job-1',
  ownerUid: mysql().metadata.uid,
  claimUid: 'claim-1',
  generation: mysql().metadata.generation,
  credentials: {},
  keepsOld: [],
  onlyCompares: false,
  requestedAt: undefined,
  scheduledFor: undefined,
  requestedBy: undefined,
  beforeUpgradeTo: undefined,
  verifies: undefined,
  isLastDump: false,
  timedOut: false,
  startedAt: '2026-01-02T03:05:00Z',
  finishedAt: facts.state === 'running' ? undefined : '2026-01-02T03:06:00Z',
  report: undefined,
  stuck: undefined,
  started: facts.stuck === undefined,
  unschedulable: undefined,
  ...facts,
})

/** A MySQL that is running, unless the test says otherwise. */
export const observed = (facts: Partial<Observed> & { mysql?: MySQL } = {}): Observed => ({
  mysql: mysql(),
  dataClaim: claim({ initialised: true, restoredFrom: 'none' }),
  workload: workload(),
  pod: pod(),
  rolledOut: true,
  restore: job({ credentials: { root: 'shop-root-aaaaaaaaaa' } }),
  password: undefined,
  backup: undefined,
  verify: undefined,
  ...facts,
})
