import Fastify from 'fastify'
import { describe, expect, test } from 'vitest'
import { metricsRoutes } from '../../src/http/metrics.ts'
import { createMetrics } from '../../src/metrics.ts'
import type { Loose } from '../admission/fixtures.ts'
import { mysql } from '../api/fixtures.ts'

const metrics = () =>
  createMetrics({
    leading: () => true,
    queueDepth: () => 3,
    mysqls: () => [mysql()],
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
