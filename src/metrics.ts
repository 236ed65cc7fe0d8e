/** Every metric, in one table; the code that counts gets it as an argument. */

import {
  Counter,
  collectDefaultMetrics,
  Gauge,
  Histogram,
  type OpenMetricsContentType,
  Registry,
} from 'prom-client'
import type { MySQL } from './api/mysql.ts'

/** Values that are looked up when the metrics are read. */
export interface MetricSources {
  leading: () => boolean
  queueDepth: () => number
  mysqls: () => MySQL[]
  /** How long the quietest informer has heard nothing, in milliseconds. */
  silence: () => number
  /** Of all informers, since the start. */
  informers: () => { failures: number; repaired: number }
  leafExpiry: () => Date
  /** Undefined if somebody else's CA signs. */
  authorityExpiry: () => Date | undefined
}

const isReady = ({ status }: MySQL) =>
  status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True')

const isSuspended = ({ status }: MySQL) =>
  status?.conditions?.some((condition) => condition.type === 'Ready' && condition.reason === 'Suspended')

const unix = (time: Date | undefined) => (time === undefined ? undefined : time.getTime() / 1000)

const unixOf = (time: string | undefined) => (time === undefined ? undefined : unix(new Date(time)))

type Backup = NonNullable<NonNullable<MySQL['status']>['backup']>

/** What is measured of the dumps of each resource, from its status: gone with the resource, and the same after a restart. */
const ofDumps: [name: string, help: string, read: (backup: Backup) => number | undefined][] = [
  [
    'backup_last_success_timestamp_seconds',
    'When the last good dump of a MySQL was made, Unix time.',
    ({ lastSuccess }) => unixOf(lastSuccess),
  ],
  [
    'backup_last_duration_seconds',
    'How long making the last good dump of a MySQL took.',
    ({ duration }) => duration,
  ],
  [
    'backup_last_verified_timestamp_seconds',
    'When a dump of a MySQL was last found good by a verification, Unix time.',
    ({ verifiedAt }) => unixOf(verifiedAt),
  ],
  [
    'backup_verified',
    'What the latest verification found the dump of a MySQL to be: 1 good, 0 bad; missing if it failed itself.',
    ({ verification }) =>
      verification ? { Good: 1, Bad: 0, Unknown: undefined }[verification.result] : undefined,
  ],
  ['backup_last_size_bytes', 'Size of the last good dump of a MySQL.', ({ bytes }) => bytes],
  [
    'backup_next_run_timestamp_seconds',
    'When the schedule of a MySQL wants a dump next, Unix time; in the past while that waits.',
    ({ nextRun }) => unixOf(nextRun),
  ],
]

/** Upper bounds of the buckets, in seconds. */
const seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** The registry and what is counted as it happens. */
export const createMetrics = (sources: MetricSources) => {
  const registry = new Registry<OpenMetricsContentType>()
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
  const registers = [registry]
  collectDefaultMetrics({
    register: registry as unknown as Registry<typeof Registry.PROMETHEUS_CONTENT_TYPE>,
  })
  const gauge = (name: string, help: string, read: () => number | undefined) =>
    new Gauge({
      name: `mysql_operator_${name}`,
      help,
      registers,
      collect() {
        const value = read()
        // Otherwise it would be 0, which somebody takes for 1970.
        if (value === undefined) this.remove()
        else this.set(value)
      },
    })
  const counter = (name: string, help: string, read: () => number) =>
    new Counter({
      name: `mysql_operator_${name}`,
      help,
      registers,
      collect() {
        this.reset()
        this.inc(read())
      },
    })
  gauge('leader', '1 while this replica holds the Lease and reconciles.', () => (sources.leading() ? 1 : 0))
  gauge('queue_depth', 'MySQL resources that wait to be reconciled.', sources.queueDepth)
  gauge('instances', 'MySQL resources that are looked after.', () => sources.mysqls().length)
  gauge(
    'instances_ready',
    'MySQL resources whose server answers.',
    () => sources.mysqls().filter(isReady).length,
  )
  gauge(
    'instances_suspended',
    'MySQL resources whose server is stopped because they are suspended.',
    () => sources.mysqls().filter(isSuspended).length,
  )
  gauge(
    'cache_silence_seconds',
    'Time since the informer that is longest without news last heard from the API server.',
    () => sources.silence() / 1000,
  )
  counter(
    'cache_failures',
    'Lists and watches that failed and were tried again.',
    () => sources.informers().failures,
  )
  counter(
    'cache_repaired_changes',
    'Changes that a periodic list knew before the watch did.',
    () => sources.informers().repaired,
  )
  const labelNames = ['namespace', 'name'] as const
  const labelsOf = ({ metadata: { namespace = '', name } }: MySQL) => ({ namespace, name })
  for (const [name, help, read] of ofDumps) {
    new Gauge({
      name: `mysql_operator_${name}`,
      help,
      labelNames,
      registers,
      collect() {
        this.reset()
        for (const mysql of sources.mysqls()) {
          const value = read(mysql.status?.backup ?? {})
          if (value !== undefined) this.set(labelsOf(mysql), value)
        }
      },
    })
  }
  new Counter({
    name: 'mysql_operator_backup_failures',
    help: 'Dumps of a MySQL that failed since the resource was made.',
    labelNames,
    registers,
    collect() {
      this.reset()
      for (const mysql of sources.mysqls()) this.inc(labelsOf(mysql), mysql.status?.backup?.failures ?? 0)
    },
  })
  gauge('certificate_expiry_seconds', 'End of validity of the serving certificate, Unix time.', () =>
    unix(sources.leafExpiry()),
  )
  gauge('authority_expiry_seconds', 'End of validity of the certificate authority, Unix time.', () =>
    unix(sources.authorityExpiry()),
  )
  return {
    registry,
    reviews: new Counter({
      name: 'mysql_operator_admission_requests',
      help: 'Admission reviews answered.',
      labelNames: ['handler', 'operation', 'result'] as const,
      registers,
    }),
    reviewSeconds: new Histogram({
      name: 'mysql_operator_admission_duration_seconds',
      help: 'Time that an admission review took.',
      labelNames: ['handler'] as const,
      buckets: seconds,
      registers,
    }),
    passwordsHashed: new Counter({
      name: 'mysql_operator_passwords_hashed',
      help: 'Passwords that were hashed; one that is in force already never is.',
      registers,
    }),
    reconciles: new Counter({
      name: 'mysql_operator_reconciles',
      help: 'Reconciles that ended.',
      labelNames: ['result'] as const,
      registers,
    }),
    reconcileSeconds: new Histogram({
      name: 'mysql_operator_reconcile_duration_seconds',
      help: 'Time that a reconcile took.',
      buckets: seconds,
      registers,
    }),
    queueSeconds: new Histogram({
      name: 'mysql_operator_queue_wait_seconds',
      help: 'Time that a resource waited for its reconcile.',
      buckets: seconds,
      registers,
    }),
    apiRequests: new Counter({
      name: 'mysql_operator_api_requests',
      help: 'Requests made to the API server.',
      labelNames: ['verb', 'resource', 'code'] as const,
      registers,
    }),
  }
}

export type Metrics = ReturnType<typeof createMetrics>
