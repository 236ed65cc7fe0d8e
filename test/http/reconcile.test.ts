import Fastify from 'fastify'
import { describe, expect, test, vi } from 'vitest'
import type { MySQL } from '../../src/api/mysql.ts'
import { annotations } from '../../src/api/names.ts'
import { reconcileRoutes } from '../../src/http/reconcile.ts'
import { ApiError } from '../../src/kube/errors.ts'
import type { Loose } from '../admission/fixtures.ts'
import { mysql } from '../api/fixtures.ts'

type Predicate = (mysql: MySQL | undefined) => boolean

/** A cluster with one MySQL, `team/shop`, that jane (token `jane`) may update and joe may not. */
const start = async (changes: Loose = {}) => {
  let object: MySQL | undefined = mysql()
  const asked: Loose[] = []
  const waiting = new Set<() => void>()
  const client: Loose = {
    get: async (_: Loose, { namespace, name }: Loose) =>
      object && namespace === 'team' && name === 'shop' ? object : undefined,
    patch: async (_kind: Loose, _ref: Loose, { metadata }: Loose) => {
      if (object) object = { ...object, metadata: { ...object.metadata, annotations: metadata.annotations } }
      return object
    },
    review: async ({ kind }: Loose, spec: Loose) => {
      asked.push(spec)
      if (kind === 'TokenReview')
        return {
          status: { authenticated: spec.token !== 'forged', user: { username: spec.token, groups: ['dev'] } },
        }
      return { status: { allowed: spec.user === 'jane' } }
    },
    ...changes,
  }
  // What the replica's cache shows: what there is, unless it lags behind.
  let lagging: { shows: MySQL | undefined } | undefined
  const cached = () => (lagging ? lagging.shows : object)
  const until = (_: unknown, predicate: Predicate, signal: AbortSignal) =>
    new Promise<MySQL | undefined>((resolve, reject) => {
      const look = () => {
        if (predicate(cached())) resolve(cached())
      }
      waiting.add(look)
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      look()
    })
  const app = Fastify()
  await app.register(reconcileRoutes({ client, until }))
  const post = (body: Loose = { namespace: 'team', name: 'shop' }, token = 'jane', query = '') =>
    app.inject({
      method: 'POST',
      url: `/reconcile${query}`,
      payload: body,
      headers: token ? { authorization: `Bearer ${token}` } : {},
    })
  return {
    app,
    asked,
    post,
    waiting,
    requestedAt: () => object?.metadata.annotations?.[annotations.requestedAt] ?? '',
    backupRequestedAt: () => object?.metadata.annotations?.[annotations.backupRequestedAt],
    /** What the leader does: it mirrors a request to the status. */
    handle(lastHandledReconcileAt: string) {
      if (object)
        object = {
          ...object,
          status: {
            message: 'Mysql created',
            lastHandledReconcileAt,
            lastRun: { did: ['created Job x'], nextInSeconds: 60 },
          },
        }
      for (const look of waiting) look()
    },
    remove() {
      object = undefined
      for (const look of waiting) look()
    },
    /** From now on the cache shows this; without an argument, it has caught up. */
    lag(shows?: { shows: MySQL | undefined }) {
      lagging = shows
      for (const look of waiting) look()
    },
  }
}

describe('POST /reconcile', () => {
  test('marks the resource and answers 202 at once', async () => {
    const { post, requestedAt, asked } = await start()
    const answer = await post()
    expect([answer.statusCode, answer.json()]).toEqual([202, { requestedAt: requestedAt() }])
    expect(requestedAt()).toMatch(/^\d{4}-\d\d-\d\dT/)
    expect(asked[1]).toEqual({
      user: 'jane',
      groups: ['dev'],
      resourceAttributes: {
        group: 'otus.homework',
        resource: 'mysqls',
        verb: 'update',
        namespace: 'team',
        name: 'shop',
      },
    })
  })

  test('marks it anew each time, later than before, whatever the clocks say', async () => {
    const { post, requestedAt } = await start()
    const marks: string[] = []
    const now = vi.spyOn(Date, 'now')
    for (const time of [5_000_000_000_000, 5_000_000_000_000, 4_000_000_000_000]) {
      now.mockReturnValue(time)
      await post()
      marks.push(requestedAt())
    }
    now.mockRestore()
    expect(new Set(marks).size).toBe(3)
    expect(marks.toSorted()).toEqual(marks)
  })

  test('asks for a dump too, if it is told to', async () => {
    const { post, requestedAt, backupRequestedAt } = await start()
    await post()
    expect(backupRequestedAt()).toBeUndefined()
    const answer = await post({ namespace: 'team', name: 'shop', backup: true })
    expect(answer.json()).toEqual({ requestedAt: requestedAt() })
    expect(backupRequestedAt()).toBe(requestedAt())
  })

  test.each([
    ['without a token', '', 401],
    ['with a token that nobody issued', 'forged', 401],
    ['from somebody who may not update the resource', 'joe', 403],
  ])('%s is refused and changes nothing', async (_, token, code) => {
    const { post, requestedAt } = await start()
    const answer = await post(undefined, token)
    expect([answer.statusCode, requestedAt()]).toEqual([code, ''])
    expect(answer.json().message).toBeTruthy()
  })

  test('about a resource that does not exist is 404', async () => {
    const { post } = await start()
    expect((await post({ namespace: 'team', name: 'other' })).statusCode).toBe(404)
  })

  test.each([
    {},
    { namespace: 'team' },
    { namespace: 'team', name: '../x' },
    { namespace: 1, name: 2 },
    [],
    { namespace: 'team', name: 'shop', backup: 'yes' },
  ])('with the body %j is 400', async (body) => {
    const { post } = await start()
    expect((await post(body)).statusCode).toBe(400)
  })

  test.each(['?wait=0s', '?wait=61s', '?wait=forever', '?wait=1s&wait=2s'])(
    'with %s is 400',
    async (query) => {
      const { post } = await start()
      expect((await post(undefined, 'jane', query)).statusCode).toBe(400)
    },
  )

  test.each([
    [new ApiError(0, 'Unreachable', 'internal detail'), 503],
    [new ApiError(409, 'Conflict', 'internal detail'), 404],
  ])('says in its own words that the API server answered %s', async (error, code) => {
    const { post } = await start({ patch: () => Promise.reject(error) })
    const answer = await post()
    expect(answer.statusCode).toBe(code)
    expect(answer.body).not.toContain('internal detail')
  })
})

describe('waiting for the outcome', () => {
  const wait = async (seconds = 30, lagging?: { shows: MySQL | undefined }) => {
    const world = await start()
    world.lag(lagging)
    const answer = world.post(undefined, 'jane', `?wait=${seconds}s`)
    await vi.waitFor(() => expect(world.waiting.size).toBe(1))
    return { ...world, answer }
  }

  test('answers 200 with the state when this very request was handled, and not before', async () => {
    const { answer, handle, requestedAt } = await wait()
    handle('2020-01-01T00:00:00.000Z-000000')
    handle('something else')
    let over = false
    void answer.then(() => {
      over = true
    })
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
    expect(over).toBe(false)
    handle(requestedAt())
    const { statusCode, body } = await answer
    expect(statusCode).toBe(200)
    expect(JSON.parse(body)).toEqual({
      requestedAt: requestedAt(),
      message: 'Mysql created',
      did: ['created Job x'],
      next: 60,
      conditions: [],
    })
  })

  test('is over as well when a later request took its place and was handled', async () => {
    const { answer, handle, post, requestedAt } = await wait()
    const first = requestedAt()
    await post()
    expect(requestedAt()).not.toBe(first)
    handle(requestedAt())
    expect((await answer).json().requestedAt).toBe(first)
  })

  test('is over when the resource is gone', async () => {
    const { answer, remove } = await wait()
    remove()
    expect((await answer).json().message).toBe('the resource is gone')
  })

  test.each([
    ['nothing', undefined],
    ['another one that had the name before', mysql({ metadata: { uid: 'before' } })],
    [
      'another one that was asked for later',
      mysql({
        metadata: { uid: 'before' },
        status: { lastHandledReconcileAt: '9999-12-31T00:00:00.000Z-000000' },
      }),
    ],
  ])('goes on while the cache, which lags behind, shows %s', async (_, shows) => {
    const { answer, handle, lag, requestedAt } = await wait(30, { shows })
    lag({ shows: undefined })
    lag()
    handle(requestedAt())
    expect((await answer).json().message).toBe('Mysql created')
  })

  test('is over when the resource is gone, and another one has its name', async () => {
    const { answer, lag } = await wait()
    lag({ shows: mysql({ metadata: { uid: 'after' }, status: { message: 'Mysql created' } }) })
    expect((await answer).json().message).toBe('the resource is gone')
  })

  test('finds in the end that the resource has gone without the cache having shown it', async () => {
    const { answer, remove } = await wait(1, { shows: undefined })
    remove()
    const { statusCode, body } = await answer
    expect([statusCode, JSON.parse(body).message]).toEqual([200, 'the resource is gone'])
  })

  test('that the cache shows nothing means no more than that', async () => {
    const { answer } = await wait(1, { shows: undefined })
    expect((await answer).statusCode).toBe(504)
  })

  test('ends with 504 and what it means', async () => {
    const { answer } = await wait(1)
    const { statusCode, body } = await answer
    expect([statusCode, JSON.parse(body).message]).toEqual([504, expect.stringContaining('it goes on')])
  })

  test('ends when the replica is stopped', async () => {
    const { answer, app } = await wait()
    await app.close()
    expect((await answer).statusCode).toBe(503)
  })

  test('is for four at a time of one account, and for others still', async () => {
    const { post, waiting, handle, requestedAt } = await start()
    const many = Array.from({ length: 4 }, () => post(undefined, 'jane', '?wait=30s'))
    await vi.waitFor(() => expect(waiting.size).toBe(4))
    expect((await post()).statusCode).toBe(429)
    expect((await post(undefined, 'joe')).statusCode).toBe(403)
    handle(requestedAt())
    for (const answer of await Promise.all(many)) expect(answer.statusCode).toBe(200)
    expect((await post()).statusCode).toBe(202)
  })
})
