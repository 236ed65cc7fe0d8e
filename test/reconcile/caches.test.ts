import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createClient } from '../../src/kube/client.ts'
import { cachesProblem, longestSilence, type StartedCaches, startCaches } from '../../src/reconcile/caches.ts'
import { FakeClock, settle } from '../kube/fakeClock.ts'
import { type FakeServer, isList, type Seen, startFakeServer } from '../kube/fakeServer.ts'
import { until } from '../kube/until.ts'

/** One informer for each of these. */
const kinds = 8

let server: FakeServer
let clock: FakeClock
let stop: AbortController
let reported: string[]
beforeEach(async () => {
  server = await startFakeServer()
  clock = new FakeClock()
  stop = new AbortController()
  reported = []
})
afterEach(async () => {
  stop.abort()
  await server.stop()
})

const start = (): StartedCaches =>
  startCaches(createClient(server.connection, { clock }), {
    namespaces: [],
    signal: stop.signal,
    onError: (error, kind) => reported.push(`${kind}: ${(error as Error).message}`),
    clock,
  })
const watching = () => until(() => server.watchers.size === kinds)
const listOf = (plural: string) => (seen: Seen) => isList(seen) && seen.path.endsWith(`/${plural}`)

describe('what the caches say of themselves', () => {
  test('a failure is told, with the kind that it is about, and counted', async () => {
    server.inject({ do: 'status', code: 403 }, listOf('jobs'))
    const caches = start()
    await until(() => reported.length > 0)
    expect(reported).toEqual([expect.stringMatching(/^Job: .*list of Job/)])
    expect(caches.counts()).toEqual({ failures: 1, repaired: 0 })
    expect(cachesProblem(caches)).toContain('first lists')
  })

  test('silence is counted for the quietest, and for all of them', async () => {
    const caches = start()
    await caches.synced
    await watching()
    clock.jump(60_000)
    expect(caches.silence()).toEqual({ longest: 60_000, shortest: 60_000 })
    server.put('/apis/batch/v1/namespaces/shop/jobs', {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: {
        namespace: 'shop',
        name: 'one',
        labels: { 'app.kubernetes.io/managed-by': 'mysql-operator' },
      },
    })
    await until(() => caches.jobs.list().length === 1)
    expect(caches.silence()).toEqual({ longest: 60_000, shortest: 0 })
  })

  test('they are no longer believed when nothing at all was heard for longer than a watch lasts', async () => {
    const caches = start()
    await caches.synced
    await watching()
    clock.jump(longestSilence)
    expect(cachesProblem(caches)).toBeUndefined()
    clock.jump(1)
    expect(cachesProblem(caches)).toMatch(/said nothing for 330 s/)
    server.bookmark()
    await until(() => caches.silence().longest === 0)
    expect(cachesProblem(caches)).toBeUndefined()
  })
})

test('they may be stopped before their first lists, and only who waits for those hears of it', async () => {
  server.inject({ do: 'hang' }, isList, 99)
  const caches = start()
  await until(() => server.requests.length === kinds)
  const unheard: unknown[] = []
  const onUnheard = (reason: unknown) => unheard.push(reason)
  process.prependListener('unhandledRejection', onUnheard)
  try {
    stop.abort()
    await settle()
    expect(unheard).toEqual([])
    await expect(caches.synced).rejects.toBe(stop.signal.reason)
  } finally {
    process.off('unhandledRejection', onUnheard)
  }
})
