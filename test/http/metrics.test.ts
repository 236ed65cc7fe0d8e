import Fastify from 'fastify'
import { describe, expect, test } from 'vitest'
import { metricsRoutes } from '../../src/http/metrics.ts'
import { createMetrics } from '../../src/metrics.ts'
import type { Loose } from '../admission/fixtures.ts'
import { mysql } from '../api/fixtures.ts'

const metrics = (mysqls = [mysql()]) =>
  createMetrics({
    leading: () => true,
    queueDepth: () => 3,
    mysqls: () => mysqls,
    silence: () => 61_500,
    informers: () => ({ failures: 4, repaired: 2 }),
    leafExpiry: () => new Date(5_000),
    authorityExpiry: () => undefined,
  })

const start = async (protect: boolean) => {
  const { registry } = metrics()
  const asked: Loose[] = []
  const client: Loose = {
    review: async ({ kind }: Loose, spec: Loose) => {
      asked.push(spec)
      if (kind === 'TokenReview') return { status: { authenticated: true, user: { username: spec.token } } }
      return { status: { allowed: spec.user === 'prometheus' } }
    },
  }
  const app = Fastify()
  const read = async () => ({ text: await registry.metrics(), contentType: registry.contentType })
  await app.register(metricsRoutes({ client, protect, read }))
  const get = (token?: string) =>
    app.inject({ url: '/metrics', headers: token ? { authorization: `Bearer ${token}` } : {} })
  return { get, asked }
}

describe('GET /metrics', () => {
  test('is OpenMetrics with the state of this replica', async () => {
    const { get } = await start(false)
    const { headers, body } = await get()
    expect(headers['content-type']).toMatch(/^application\/openmetrics-text/)
    expect(body).toContain('\nmysql_operator_leader 1\n')
    expect(body).toContain('\nmysql_operator_queue_depth 3\n')
    expect(body).toContain('\nmysql_operator_instances 1\n')
    expect(body).toContain('\nmysql_operator_instances_ready 0\n')
    expect(body).toContain('\nmysql_operator_instances_suspended 0\n')
    expect(body).toContain('\nmysql_operator_cache_silence_seconds 61.5\n')
    expect(body).toContain('\nmysql_operator_cache_failures_total 4\n')
    expect(body).toContain('\nmysql_operator_cache_repaired_changes_total 2\n')
    // Totals are read anew each time, not added up.
    expect((await get()).body).toContain('\nmysql_operator_cache_failures_total 4\n')
    expect(body).toContain('\nmysql_operator_certificate_expiry_seconds 5\n')
    // What is not known is not there, rather than 0.
    expect(body).not.toMatch(/^mysql_operator_authority_expiry_seconds /m)
    expect(body).toContain('\nprocess_cpu_seconds_total ')
    expect(body.endsWith('# EOF\n')).toBe(true)
  })

  test('is open to somebody with the right to the path only, where it is protected', async () => {
    const { get, asked } = await start(true)
    expect((await get()).statusCode).toBe(401)
    expect((await get('joe')).statusCode).toBe(403)
    expect((await get('prometheus')).statusCode).toBe(200)
    expect(asked.at(-1)).toMatchObject({ nonResourceAttributes: { path: '/metrics', verb: 'get' } })
  })
})

test('dumps are measured for each resource, and no more when it is gone', async () => {
  const backup = {
    lastSuccess: '2026-01-02T03:06:00Z',
    bytes: 2000,
    duration: 60,
    failures: 3,
    nextRun: '2026-01-02T04:30:00Z',
    verifiedAt: '2026-01-02T03:07:00Z',
    verification: { startedAt: '2026-01-02T03:06:30Z', file: 'a.sql.gz', result: 'Good' as const },
  }
  const mysqls = [mysql({ status: { backup } }), mysql({ metadata: { name: 'never' } })]
  const { registry } = metrics(mysqls)
  const lines = async () =>
    (await registry.metrics()).split('\n').filter((line) => line.startsWith('mysql_operator_backup_'))
  const labels = '{namespace="team",name="shop"}'
  const never = 'mysql_operator_backup_failures_total{namespace="team",name="never"} 0'
  expect(await lines()).toEqual([
    `mysql_operator_backup_last_success_timestamp_seconds${labels} ${Date.parse(backup.lastSuccess) / 1000}`,
    `mysql_operator_backup_last_duration_seconds${labels} 60`,
    `mysql_operator_backup_last_verified_timestamp_seconds${labels} ${Date.parse(backup.verifiedAt) / 1000}`,
    `mysql_operator_backup_verified${labels} 1`,
    `mysql_operator_backup_last_size_bytes${labels} 2000`,
    `mysql_operator_backup_next_run_timestamp_seconds${labels} ${Date.parse(backup.nextRun) / 1000}`,
    `mysql_operator_backup_failures_total${labels} 3`,
    never,
  ])
  mysqls.shift()
  expect(await lines()).toEqual([never])
})

test('what is counted has a closed set of labels and the prefix of the operator', async () => {
  const { registry, reviews, reviewSeconds } = metrics()
  reviews.inc({ handler: 'mutate', operation: 'CREATE', result: 'patched' })
  reviewSeconds.observe({ handler: 'mutate' }, 0.01)
  const text = await registry.metrics()
  expect(text).toContain(
    'mysql_operator_admission_requests_total{handler="mutate",operation="CREATE",result="patched"} 1',
  )
  const own = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name ?? '')
  for (const name of own) expect(name).toMatch(/^(mysql_operator|process|nodejs)_/)
})
