import { randomBytes } from 'node:crypto'
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import type { MySQL as MySQLResource } from '../api/mysql.ts'
import { annotations, group } from '../api/names.ts'
import { mayAccess, type User } from '../kube/access.ts'
import type { Client } from '../kube/client.ts'
import { deadline, systemClock } from '../kube/clock.ts'
import { ApiError } from '../kube/errors.ts'
import { MySQL } from '../kube/kinds.ts'
import { callerOf } from './tokens.ts'

export interface ReconcileOptions {
  client: Pick<Client, 'get' | 'patch' | 'review'>
  /**
   * Resolves when the cached resource satisfies the predicate, which gets undefined while the cache has none; rejects with
   * the signal's reason when that aborts.
   */
  until: (
    ref: { namespace: string; name: string },
    predicate: (mysql: MySQLResource | undefined) => boolean,
    signal: AbortSignal,
  ) => Promise<MySQLResource | undefined>
}

/** Longest time that a caller can wait, in seconds. */
const longestWait = 60
/** Bytes of a body, which holds two names and is read before anybody is asked who they are. */
const longestBody = 4096
/** Requests under way at the same time; each that waits holds a connection. */
const mostAtOnce = 32
/** The same of one account, so that none keeps the others out. */
const mostOfOne = 4

/** What is asked for: a reconcile of which resource, and a dump as well, and how long the caller waits for the outcome, in seconds (0: not at all). */
interface Wanted {
  namespace: string
  name: string
  seconds: number
  backup: boolean
}

interface Answer {
  code: number
  body: object
}

const refused = (code: number, message: string): Answer => ({ code, body: { message } })

const isName = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= 253 && /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(value)

/** `30s` or `30`; undefined if it is neither, or too long. */
const waitSeconds = (text: string): number | undefined => {
  const seconds = Number(/^(\d{1,3})s?$/.exec(text)?.[1])
  return seconds >= 1 && seconds <= longestWait ? seconds : undefined
}

const wantedBy = (request: FastifyRequest): Wanted | Answer => {
  const { namespace, name, backup = false } = (request.body ?? {}) as Record<string, unknown>
  if (!isName(namespace) || !isName(name) || typeof backup !== 'boolean')
    return refused(400, 'send {"namespace": "…", "name": "…"}, and "backup": true for a dump')
  const { wait } = request.query as { wait?: string }
  const seconds = wait === undefined ? 0 : waitSeconds(wait)
  if (seconds === undefined) return refused(400, `wait is 1s to ${longestWait}s, such as ?wait=30s`)
  return { namespace, name, seconds, backup }
}

/** What `newRequest` makes: times that sort like texts. */
const ownForm = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z-[0-9a-f]{6}$/

/**
 * A mark that sorts behind the one before, whatever the clocks of the replicas say. Two requests in the same millisecond
 * are still two.
 */
const newRequest = (before = '') => {
  const earliest = ownForm.test(before) ? Date.parse(before.slice(0, 24)) + 1 : 0
  const time = new Date(Math.max(Date.now(), earliest))
  return `${time.toISOString()}-${randomBytes(3).toString('hex')}`
}

/** Handled is a request also when a later one, which has taken its place, is. */
const isHandled = (mysql: MySQLResource, requestedAt: string) => {
  const handled = mysql.status?.lastHandledReconcileAt ?? ''
  return handled === requestedAt || (ownForm.test(handled) && handled > requestedAt)
}

/** What was asked for: a run of the one resource with this uid. */
interface Asked {
  uid: string | undefined
  requestedAt: string
}

const ask = async ({ client }: ReconcileOptions, ref: Wanted): Promise<Asked | undefined> => {
  const found = await client.get(MySQL, ref)
  if (!found) return undefined
  const requestedAt = newRequest(found.metadata.annotations?.[annotations.requestedAt])
  const marks = {
    [annotations.requestedAt]: requestedAt,
    ...(ref.backup ? { [annotations.backupRequestedAt]: requestedAt } : {}),
  }
  const { uid } = found.metadata
  await client.patch(MySQL, ref, { metadata: { uid, annotations: marks } }, 'merge')
  return { uid, requestedAt }
}

const outcome = async (
  { client, until }: ReconcileOptions,
  ref: Wanted,
  { uid, requestedAt }: Asked,
  closing: AbortSignal,
): Promise<Answer> => {
  const limit = deadline(systemClock, () => new Error('nobody waits any longer'), closing)
  limit.restart(ref.seconds * 1000)
  const ifOurs = (mysql: MySQLResource | undefined) => (mysql?.metadata.uid === uid ? mysql : undefined)
  // The cache lags behind: it may know nothing yet of the resource, or only one that had its name before.
  let shown = false
  const isDone = (mysql: MySQLResource | undefined) => {
    const ours = ifOurs(mysql)
    shown ||= ours !== undefined
    return ours === undefined ? shown : isHandled(ours, requestedAt)
  }
  const done = (mysql: MySQLResource | undefined) => {
    const message = mysql === undefined ? 'the resource is gone' : (mysql.status?.message ?? '')
    const { conditions = [], lastRun } = mysql?.status ?? {}
    return {
      code: 200,
      body: { requestedAt, message, did: lastRun?.did ?? [], next: lastRun?.nextInSeconds, conditions },
    }
  }
  try {
    return done(ifOurs(await until(ref, isDone, limit.signal)))
  } catch (error) {
    if (closing.aborted) return refused(503, 'this replica is being stopped; the request goes on: ask again')
    if (!limit.signal.aborted) throw error
    // It may have gone without the cache ever having shown it.
    if (!shown && ifOurs(await client.get(MySQL, ref, { timeoutMs: 5_000 })) === undefined)
      return done(undefined)
    return refused(504, `not done within ${ref.seconds} s; it goes on. Look at the status of the resource`)
  } finally {
    limit.done()
  }
}

const handle = async (
  options: ReconcileOptions,
  caller: User,
  wanted: Wanted,
  closing: AbortSignal,
): Promise<Answer> => {
  const { namespace, name } = wanted
  const resource = { group, resource: MySQL.plural, verb: 'update', namespace, name }
  if (!(await mayAccess(options.client, caller, { resource }))) {
    return refused(403, `this account may not update mysqls ${namespace}/${name}`)
  }
  const asked = await ask(options, wanted)
  if (asked === undefined) return refused(404, `there is no MySQL ${namespace}/${name}`)
  if (wanted.seconds === 0) return { code: 202, body: { requestedAt: asked.requestedAt } }
  return outcome(options, wanted, asked, closing)
}

/** What the API server had to say instead; its text is about our own account, so it stays here. */
const apiAnswer = (error: unknown): Answer => {
  if (!(error instanceof ApiError)) throw error
  if (error.code === 404 || error.code === 409) return refused(404, 'that MySQL was just deleted')
  return refused(503, 'the API server gives no answer: try again in a moment')
}

/** Counts what is under way: of everybody, and of each account. */
const createGate = () => {
  const underWay = new Map<string, number>()
  const of = (who: string) => underWay.get(who) ?? 0
  const change = (who: string, by: number) => {
    const now = of(who) + by
    if (now === 0) underWay.delete(who)
    else underWay.set(who, now)
  }
  /** Runs `task` unless `who` has `most` under way. */
  return async (who: string, most: number, task: () => Promise<Answer>): Promise<Answer> => {
    if (of(who) >= most) return refused(429, 'too many requests are waiting: try again in a moment')
    change(who, 1)
    try {
      return await task()
    } finally {
      change(who, -1)
    }
  }
}

/**
 * POST /reconcile {namespace, name, backup}: asks for a reconcile now, on whichever replica leads, and for a dump if
 * `backup` is true. 202, or with `?wait=30s` 200
 * and the state afterwards, 504 if it took longer.
 */
export const reconcileRoutes =
  (options: ReconcileOptions): FastifyPluginAsync =>
  async (app) => {
    const through = createGate()
    const closing = new AbortController()
    app.addHook('preClose', async () => closing.abort())
    const answer = async (request: FastifyRequest): Promise<Answer> => {
      const caller = await callerOf(options.client, request)
      if (!caller) return refused(401, 'send a token: Authorization: Bearer $(kubectl create token …)')
      const wanted = wantedBy(request)
      if ('code' in wanted) return wanted
      const who = `account ${caller.username ?? ''}`
      return through(who, mostOfOne, () => handle(options, caller, wanted, closing.signal))
    }
    app.post('/reconcile', { bodyLimit: longestBody }, async (request, reply) => {
      const { code, body } = await through('everybody', mostAtOnce, () => answer(request).catch(apiAnswer))
      return reply.code(code).send(body)
    })
  }
