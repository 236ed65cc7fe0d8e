import { afterEach, beforeEach } from 'vitest'
import { type Client, createClient } from '../../src/kube/client.ts'
import { Informer, type InformerOptions } from '../../src/kube/informer.ts'
import { ConfigMap } from '../../src/kube/kinds.ts'
import { FakeClock } from './fakeClock.ts'
import { type FakeServer, isList, isWatch, startFakeServer } from './fakeServer.ts'
import { until } from './until.ts'

export const configMaps = '/api/v1/namespaces/shop/configmaps'
export const named = (name: string, data?: Record<string, string>) => ({
  metadata: { namespace: 'shop', name },
  ...(data && { data }),
})

export let server: FakeServer
export let clock: FakeClock
export let client: Client
export let stop: AbortController
/** What informers reported. */
export let errors: unknown[]
/** Changes that they told of: +new, ~changed, -gone. */
export let seen: string[]

beforeEach(async () => {
  server = await startFakeServer()
  clock = new FakeClock()
  // A timeout of its own, so that no backoff is mistaken for it.
  client = createClient(server.connection, { clock, timeoutMs: 29_999 })
  stop = new AbortController()
  errors = []
  seen = []
})
afterEach(async () => {
  stop.abort()
  await server.stop()
})

/** An informer that has been started, whatever becomes of it. */
export const launch = (options: InformerOptions<ConfigMap> = {}) => {
  const onError = (error: unknown) => errors.push(error)
  const informer = new Informer(client, ConfigMap, { clock, onError, ...options })
  informer.onChange((object, previous, deleted) => {
    seen.push(`${deleted ? '-' : previous ? '~' : '+'}${object.metadata.name}`)
  })
  informer.start(stop.signal)
  return informer
}

/** An informer that has listed and watches. */
export const start = async (options: InformerOptions<ConfigMap> = {}) => {
  const informer = launch(options)
  await informer.synced
  await watching()
  return informer
}

export const watching = () => until(() => server.watchers.size === 1)
export const lists = () => server.requests.filter(isList).length
export const watches = () => server.requests.filter(isWatch).length

/** Waits for the pause after the nth failure since the last event, and ends it. */
export const retry = async (n: number) => {
  const wait = Math.min(30_000, 250 * 2 ** (n - 1))
  await until(() => clock.isWaiting(wait))
  await clock.advance(wait)
}
