import type { Dispatcher } from 'undici'
import { type Clock, deadline, systemClock } from './clock.ts'
import type { Connection } from './config.ts'
import { ApiError, fromStatus, type Status } from './errors.ts'
import type { AnyKind } from './kinds.ts'

/** What a call does, in the words that RBAC uses, and "apply", which RBAC counts as a patch. */
export type Verb = 'get' | 'list' | 'watch' | 'create' | 'apply' | 'patch' | 'delete'

/** One request, before it is sent. */
export interface Call {
  verb: Verb
  kind: AnyKind
  namespace?: string | undefined
  name?: string | undefined
  subresource?: string | undefined
  query?: Record<string, string | number | boolean | undefined>
  contentType?: string
  body?: unknown
  /** Changes what is stored, and so only happens while the fence lets it. */
  fenced?: boolean
  signal?: AbortSignal | undefined
  timeoutMs?: number | undefined
}

/** One request as the metrics see it. */
export interface RequestSeen {
  verb: Verb
  plural: string
  /** HTTP status; 0 if there was no answer. */
  code: number
  seconds: number
}

export interface TransportOptions {
  /** For each call that does not say another, in milliseconds. */
  timeoutMs?: number
  /**
   * The fence: called before each request that changes something, and once more at the moment the request is written to
   * its socket, since it may have waited for a connection meanwhile. What it throws, the call throws; nothing was sent then.
   */
  beforeWrite?: () => void
  onRequest?: (seen: RequestSeen) => void
  clock?: Clock
}

const methods: Record<Verb, Dispatcher.HttpMethod> = {
  get: 'GET',
  list: 'GET',
  watch: 'GET',
  create: 'POST',
  apply: 'PATCH',
  patch: 'PATCH',
  delete: 'DELETE',
}

/** Sends calls over a connection; knows HTTP, timeouts and the fence, but not what the verbs mean. */
export const createTransport = (connection: Connection, options: TransportOptions = {}) => {
  const clock = options.clock ?? systemClock
  const base = new URL(connection.server)
  const prefix = base.pathname.replace(/\/$/, '')

  const { dispatcher, watchDispatcher = dispatcher } = connection
  const poolFor = ({ verb }: Call) => (verb === 'watch' ? watchDispatcher : dispatcher)

  /** Resolves with the headers; the body is read by the caller, who also ends the deadline. */
  const open = async (call: Call, limit: Deadline): Promise<Dispatcher.ResponseData> => {
    const fence = new Fence(call.fenced ? options.beforeWrite : undefined)
    const wait = call.timeoutMs ?? options.timeoutMs ?? 30_000
    limit.restart(wait)
    try {
      const credentials = await connection.headers()
      fence.check()
      return await poolFor(call)
        .compose(fence.interceptor)
        .request({
          origin: base.origin,
          path: `${prefix}${pathOf(call)}`,
          method: methods[call.verb],
          headers: {
            ...credentials,
            accept: 'application/json',
            'user-agent': 'mysql-operator',
            ...(call.body !== undefined && { 'content-type': call.contentType ?? 'application/json' }),
          },
          body: call.body === undefined ? null : JSON.stringify(call.body),
          signal: limit.signal,
          headersTimeout: 0,
          bodyTimeout: 0,
        })
    } catch (error) {
      throw fence.refusal ?? noAnswer(call, limit.signal, error)
    }
  }

  const measured = async <R>(
    call: Call,
    run: (answered: (code: number) => void) => Promise<R>,
  ): Promise<R> => {
    const start = clock.now()
    let code = 0
    try {
      return await run((status) => {
        code = status
      })
    } finally {
      const seconds = (clock.now() - start) / 1000
      options.onRequest?.({ verb: call.verb, plural: call.kind.plural, code, seconds })
    }
  }

  return {
    clock,
    /** Sends a call and reads its whole answer; anything but a 2xx is an ApiError. */
    exchange: (call: Call): Promise<unknown> =>
      measured(call, async (answered) => {
        const limit = deadline(clock, () => timedOut(call), call.signal)
        try {
          const response = await open(call, limit)
          const text = await response.body.text().catch((error) => {
            throw noAnswer(call, limit.signal, error)
          })
          answered(response.statusCode)
          return understood(call, response, text)
        } finally {
          limit.done()
        }
      }),

    /** Sends a call whose answer goes on; `limit` is the caller's to wind up and to end. */
    stream: (call: Call, limit: Deadline): Promise<AsyncIterable<Buffer>> =>
      measured(call, async (answered) => {
        const response = await open(call, limit)
        answered(response.statusCode)
        if (response.statusCode >= 300) understood(call, response, await response.body.text())
        // The reader of the stream hears of an error as well; without a listener it would end the process.
        response.body.on('error', () => undefined)
        return response.body
      }),
  }
}

export type Transport = ReturnType<typeof createTransport>
export type Deadline = ReturnType<typeof deadline>

/** Lets requests pass only as long as `check` does not throw, down to the moment of writing to the socket. */
class Fence {
  refusal: unknown
  readonly #beforeWrite: (() => void) | undefined

  constructor(beforeWrite: (() => void) | undefined) {
    this.#beforeWrite = beforeWrite
  }

  check() {
    try {
      this.#beforeWrite?.()
    } catch (error) {
      this.refusal = error
      throw error
    }
  }

  readonly interceptor: Dispatcher.DispatcherComposeInterceptor = (dispatch) => {
    if (!this.#beforeWrite) return dispatch
    return (request, handler) =>
      dispatch(request, {
        onRequestStart: (controller, context) => {
          this.check()
          handler.onRequestStart?.(controller, context)
        },
        onRequestUpgrade: (...given) => handler.onRequestUpgrade?.(...given),
        onResponseStart: (...given) => handler.onResponseStart?.(...given),
        onResponseData: (...given) => handler.onResponseData?.(...given),
        onResponseEnd: (...given) => handler.onResponseEnd?.(...given),
        onResponseError: (...given) => handler.onResponseError?.(...given),
      })
  }
}

/** What is asked, for messages: "apply of StatefulSet shop/db". */
export const describe = ({ verb, kind, namespace, name, subresource }: Call) => {
  const object = [namespace, name].filter(Boolean).join('/')
  return [verb, 'of', kind.kind, object, subresource && `(${subresource})`].filter(Boolean).join(' ')
}

export const timedOut = (call: Call) =>
  new ApiError(0, 'TimedOut', `${describe(call)} got no answer in time; it may or may not have happened`)

const noAnswer = (call: Call, signal: AbortSignal, error: unknown): unknown => {
  if (signal.aborted) return signal.reason
  if (error instanceof ApiError) return error
  const why = error instanceof Error ? error.message || error.name : 'no answer'
  const text = `${describe(call)} did not reach the API server: ${why}; check that it runs and can be reached`
  return new ApiError(0, 'Unreachable', text, { cause: error })
}

const pathOf = ({ verb, kind, namespace, name, subresource, query = {} }: Call) => {
  const group = kind.apiVersion.includes('/') ? `/apis/${kind.apiVersion}` : `/api/${kind.apiVersion}`
  const scope = kind.namespaced && namespace ? `/namespaces/${encodeURIComponent(namespace)}` : ''
  const object = name === undefined || verb === 'create' ? '' : `/${encodeURIComponent(name)}`
  const given = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) if (value !== undefined) given.set(key, String(value))
  const search = given.size > 0 ? `?${given}` : ''
  return `${group}${scope}/${kind.plural}${object}${subresource ? `/${subresource}` : ''}${search}`
}

const understood = (call: Call, response: Dispatcher.ResponseData, text: string): unknown => {
  const body = parsed(text)
  if (response.statusCode >= 300) {
    const wait = Number.parseInt(String(response.headers['retry-after']), 10)
    const status = isStatus(body) ? body : {}
    const retryAfter = Number.isNaN(wait) ? undefined : wait
    throw fromStatus(call.kind, describe(call), response.statusCode, status, retryAfter)
  }
  if (body === undefined)
    throw new ApiError(response.statusCode, 'Garbled', `${describe(call)}: the answer is not JSON`)
  return body
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    // The caller decides: an error's page of HTML is none of ours, a success without JSON is an error.
    return undefined
  }
}

const isStatus = (body: unknown): body is Status =>
  typeof body === 'object' && body !== null && 'kind' in body && body.kind === 'Status'
