import { getEventListeners } from 'node:events'
import { Agent } from 'undici'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Client, createClient } from '../../src/kube/client.ts'
import { ApiError } from '../../src/kube/errors.ts'
import { ConfigMap, Lease, SubjectAccessReview } from '../../src/kube/kinds.ts'
import type { RequestSeen } from '../../src/kube/transport.ts'
import { FakeClock } from './fakeClock.ts'
import { type FakeServer, type Seen, startFakeServer } from './fakeServer.ts'
import { until } from './until.ts'

const configMaps = '/api/v1/namespaces/shop/configmaps'
const ref = { namespace: 'shop', name: 'one' }
const manifest = { apiVersion: 'v1', kind: 'ConfigMap', metadata: ref }
const any = () => true

let server: FakeServer
let clock: FakeClock
let client: Client
beforeEach(async () => {
  server = await startFakeServer()
  clock = new FakeClock()
  client = createClient(server.connection, { clock })
})
afterEach(() => server.stop())

const failure = async (promise: Promise<unknown>): Promise<ApiError> => {
  const error = await promise.then(
    () => undefined,
    (reason) => reason,
  )
  expect(error).toBeInstanceOf(ApiError)
  return error
}

describe('reading', () => {
  it('answers undefined for what is not there', async () => {
    expect(await client.get(ConfigMap, ref)).toBeUndefined()
  })

  it('reads every page of a list, and gives each item its kind', async () => {
    for (let n = 0; n < 7; n++) server.put(configMaps, { metadata: { namespace: 'shop', name: `c${n}` } })
    server.limitPages(3)
    const { items, resourceVersion } = await client.list(ConfigMap, { namespace: 'shop' })
    expect(items.map((item) => item.metadata.name)).toEqual(['c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'c6'])
    expect(items[6]).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap' })
    expect(resourceVersion).toBe(String(server.store.rv))
    expect(server.requests.map((seen) => seen.query.get('limit'))).toEqual(['500', '500', '500'])
  })

  it('reads the list in one piece if it expires between two pages', async () => {
    for (let n = 0; n < 4; n++) server.put(configMaps, { metadata: { namespace: 'shop', name: `c${n}` } })
    server.limitPages(2)
    const second = (seen: Seen) => {
      if (seen.query.has('continue')) server.compact()
      return false
    }
    server.inject({ do: 'hang' }, second)
    expect((await client.list(ConfigMap)).items).toHaveLength(4)
    expect(server.requests.map((seen) => [seen.query.has('limit'), seen.query.has('continue')])).toEqual([
      [true, false],
      [true, true],
      [false, false],
    ])
  })

  it('is not kept waiting by watches, however many there are', async () => {
    const [dispatcher, watchDispatcher] = [new Agent({ connections: 1 }), new Agent()]
    const narrow = createClient({ ...server.connection, dispatcher, watchDispatcher }, { clock })
    const stop = new AbortController()
    const watches = [1, 2, 3].map(() =>
      narrow.watch(ConfigMap, { resourceVersion: '100', signal: stop.signal }).next(),
    )
    const ended = Promise.allSettled(watches)
    await until(() => server.watchers.size === 3)
    expect(await narrow.get(ConfigMap, ref)).toBeUndefined()
    stop.abort()
    await ended
    await Promise.all([dispatcher.destroy(), watchDispatcher.destroy()])
  })

  it('selects by label', async () => {
    server.put(configMaps, { metadata: { namespace: 'shop', name: 'a', labels: { app: 'x' } } })
    server.put(configMaps, { metadata: { namespace: 'shop', name: 'b', labels: { app: 'y' } } })
    const { items } = await client.list(ConfigMap, { labelSelector: 'app=y' })
    expect(items.map((item) => item.metadata.name)).toEqual(['b'])
  })

  it('waits as long as a busy server asks, and gives up after four tries', async () => {
    const busy = { do: 'status', code: 429, headers: { 'retry-after': '7' } } as const
    const due = server.inject(busy, any, 9)
    const answer = failure(client.get(ConfigMap, ref))
    for (const tries of [1, 2, 3]) {
      await until(() => server.requests.length === tries && clock.isWaiting(7_000))
      await clock.advance(6_999)
      expect(server.requests).toHaveLength(tries)
      await clock.advance(1)
    }
    expect(await answer).toMatchObject({ code: 429, reason: 'TooManyRequests', retryAfterSeconds: 7 })
    expect(due.left()).toBe(5)
  })

  it('repeats a read once whose connection broke', async () => {
    server.put(configMaps, { metadata: ref })
    const due = server.inject({ do: 'reset' }, any)
    expect((await client.get(ConfigMap, ref))?.metadata.name).toBe('one')
    expect(due.left()).toBe(0)
  })

  it('gives up a call that gets no answer', async () => {
    server.inject({ do: 'hang' }, any)
    const answer = failure(client.get(ConfigMap, ref, { timeoutMs: 4_000 }))
    await until(() => server.requests.length === 1)
    await clock.advance(4_000)
    expect(await answer).toMatchObject({ code: 0, reason: 'TimedOut' })
    expect(clock.timers).toBe(0)
  })

  it("ends with the caller's reason when its signal is aborted", async () => {
    server.inject({ do: 'hang' }, any)
    const stop = new AbortController()
    const answer = client.get(ConfigMap, ref, { signal: stop.signal })
    await until(() => server.requests.length === 1)
    const reason = new Error('enough')
    stop.abort(reason)
    await expect(answer).rejects.toBe(reason)
    expect(clock.timers).toBe(0)
  })

  it('leaves nothing on a signal that lives as long as the process', async () => {
    const { signal } = new AbortController()
    await client.get(ConfigMap, ref, { signal })
    await client.list(ConfigMap, { signal })
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('says that a server cannot be reached', async () => {
    await server.down()
    expect(await failure(client.get(ConfigMap, ref))).toMatchObject({ code: 0, reason: 'Unreachable' })
    await server.up()
  })
})

describe('writing', () => {
  it('creates once, and says AlreadyExists the second time', async () => {
    await client.create(ConfigMap, manifest)
    expect(await failure(client.create(ConfigMap, manifest))).toMatchObject({
      code: 409,
      reason: 'AlreadyExists',
    })
  })

  it('applies by force, strictly, as its own manager', async () => {
    await client.apply(ConfigMap, manifest)
    const [seen] = server.writes()
    expect(seen?.headers['content-type']).toBe('application/apply-patch+yaml')
    expect(Object.fromEntries(seen?.query ?? [])).toEqual({
      fieldManager: 'mysql-operator',
      fieldValidation: 'Strict',
      force: 'true',
    })
  })

  it('patches under a manager of its own, so that an apply keeps what a patch has set', async () => {
    server.put(configMaps, { metadata: ref })
    await client.patch(ConfigMap, ref, { metadata: { annotations: { a: 'b' } } }, 'merge')
    await client.patch(ConfigMap, ref, [{ op: 'add', path: '/data', value: { c: 'd' } }], 'json')
    expect(await client.get(ConfigMap, ref)).toMatchObject({
      metadata: { annotations: { a: 'b' } },
      data: { c: 'd' },
    })
    expect(server.writes().map((seen) => seen.query.get('fieldManager'))).toEqual([
      'mysql-operator-patch',
      'mysql-operator-patch',
    ])
  })

  it('writes the status through its subresource', async () => {
    server.put('/apis/coordination.k8s.io/v1/namespaces/shop/leases', { metadata: ref })
    await client.patch(Lease, ref, {}, 'merge', { subresource: 'status' })
    expect(server.writes()[0]?.path).toBe('/apis/coordination.k8s.io/v1/namespaces/shop/leases/one/status')
  })

  it('removes only the object that is meant', async () => {
    const { metadata } = server.put(configMaps, { metadata: ref })
    expect(await failure(client.remove(ConfigMap, ref, { uid: 'another' }))).toMatchObject({
      reason: 'Conflict',
    })
    expect(await client.remove(ConfigMap, ref, { uid: metadata.uid })).toBe(true)
    expect(await client.remove(ConfigMap, ref)).toBe(false)
  })

  it('does not repeat a write whose answer was lost', async () => {
    const due = server.inject({ do: 'loseAnswer' }, any)
    expect(await failure(client.create(ConfigMap, manifest))).toMatchObject({ reason: 'Unreachable' })
    expect(due.left()).toBe(0)
    expect(server.writes()).toHaveLength(1)
  })

  it('does not repeat a write that the server was too busy for', async () => {
    server.inject({ do: 'status', code: 429, headers: { 'retry-after': '1' } }, any)
    expect(await failure(client.create(ConfigMap, manifest))).toMatchObject({
      code: 429,
      retryAfterSeconds: 1,
    })
    expect(server.writes()).toHaveLength(1)
  })
})

describe('the fence', () => {
  const closed = () => {
    throw new Error('not the leader')
  }

  it('stops every write and nothing else', async () => {
    const fenced = createClient(server.connection, { beforeWrite: closed })
    server.put(configMaps, { metadata: ref })
    for (const write of [
      fenced.create(ConfigMap, manifest),
      fenced.apply(ConfigMap, manifest),
      fenced.patch(ConfigMap, ref, {}, 'merge'),
      fenced.patch(ConfigMap, ref, [], 'json'),
      fenced.remove(ConfigMap, ref),
    ])
      await expect(write).rejects.toThrow('not the leader')
    expect(server.writes()).toEqual([])
    expect(await fenced.get(ConfigMap, ref)).toBeDefined()
    const review = await fenced.review(SubjectAccessReview, { user: 'u' })
    expect(review.status?.allowed).toBe(true)
  })

  it('stops a write at once, without waiting for a connection', async () => {
    const fenced = createClient(server.connection, { beforeWrite: closed })
    await server.down()
    await expect(fenced.create(ConfigMap, manifest)).rejects.toThrow('not the leader')
    await server.up()
  })

  it('stops a write that waited for a connection while the Lease was lost', async () => {
    let open = true
    const dispatcher = new Agent({ connections: 1 })
    const fenced = createClient(
      { ...server.connection, dispatcher },
      { beforeWrite: () => (open ? undefined : closed()) },
    )
    server.inject({ do: 'hang' }, any)
    const stop = new AbortController()
    const first = fenced.get(ConfigMap, ref, { signal: stop.signal })
    await until(() => server.requests.length === 1)
    const write = fenced.create(ConfigMap, manifest)
    const written = expect(write).rejects.toThrow('not the leader')
    // Past the first look at the fence, in line behind the request that hangs.
    await new Promise((resolve) => setImmediate(resolve))
    open = false
    stop.abort()
    await expect(first).rejects.toThrow()
    await written
    expect(server.writes()).toEqual([])
    await dispatcher.destroy()
  })
})

it('tells the metrics of each request', async () => {
  const seen: RequestSeen[] = []
  const measured = createClient(server.connection, { clock, onRequest: (one) => seen.push(one) })
  await measured.get(ConfigMap, ref)
  await measured.create(ConfigMap, manifest)
  server.inject({ do: 'reset' }, any)
  await failure(measured.apply(ConfigMap, manifest))
  expect(seen).toEqual([
    { verb: 'get', plural: 'configmaps', code: 404, seconds: 0 },
    { verb: 'create', plural: 'configmaps', code: 201, seconds: 0 },
    { verb: 'apply', plural: 'configmaps', code: 0, seconds: 0 },
  ])
})
