import type { TypedResource } from '../api/resource.ts'
import { sleep } from './clock.ts'
import { ApiError, expired } from './errors.ts'
import type { AnyKind, Kind } from './kinds.ts'
import type { Call, Transport } from './transport.ts'

export interface CallOptions {
  signal?: AbortSignal | undefined
  /** Milliseconds until the call is given up; 30 s. */
  timeoutMs?: number | undefined
}

export interface SelectOptions extends CallOptions {
  /** All namespaces without it. */
  namespace?: string | undefined
  labelSelector?: string | undefined
  /** The only one where a right is for a single name: `metadata.name=x`. */
  fieldSelector?: string | undefined
}

export interface ListOptions<T> extends SelectOptions {
  /** Applied to each object as its page arrives, so that what it drops never piles up. */
  transform?: ((object: T) => T) | undefined
}

/** A list and the moment it is true for. */
export interface Listing<T> {
  items: T[]
  resourceVersion: string
}

const pageSize = 500
/** Tries of a read, the first included. */
const readTries = 4
/** Longest wait that a server may ask of a read, in seconds. */
const longestWait = 30
export const limits = ({ signal, timeoutMs }: CallOptions = {}) => ({ signal, timeoutMs })

/** The call for a selection of objects. */
export const selection = (verb: 'list' | 'watch', kind: AnyKind, options: SelectOptions) => {
  const { namespace, labelSelector, fieldSelector } = options
  return { verb, kind, namespace, query: { labelSelector, fieldSelector }, ...limits(options) }
}

interface Page {
  items?: TypedResource[]
  metadata?: { resourceVersion?: string; continue?: string }
}

/** Every page of a list. */
export const listPages = async <T extends TypedResource>(
  transport: Transport,
  kind: Kind<T>,
  options: ListOptions<T>,
): Promise<Listing<T>> => {
  const call = selection('list', kind, options)
  const items: T[] = []
  const take = ({ items: page = [], metadata = {} }: Page) => {
    for (const item of page) {
      // Lists leave these out of their items; watches do not.
      const object = Object.assign(item, { apiVersion: kind.apiVersion, kind: kind.kind }) as T
      items.push(options.transform ? options.transform(object) : object)
    }
    return { token: metadata.continue || undefined, resourceVersion: metadata.resourceVersion ?? '' }
  }
  const page = async (query: NonNullable<Call['query']>) =>
    take((await read(transport, { ...call, query: { ...call.query, ...query } })) as Page)
  try {
    let last = await page({ limit: pageSize })
    while (last.token) last = await page({ limit: pageSize, continue: last.token })
    return { items, resourceVersion: last.resourceVersion }
  } catch (error) {
    if (!expired(error)) throw error
    // The snapshot was compacted away between two pages: once more in one piece, which cannot expire.
    items.length = 0
    return { items, resourceVersion: (await page({})).resourceVersion }
  }
}

/** A read may be repeated: at once after a broken socket, and when a busy server says after how long. */
export const read = async (transport: Transport, call: Call): Promise<unknown> => {
  for (let tries = 1; ; tries++) {
    try {
      return await transport.exchange(call)
    } catch (error) {
      const wait = tries < readTries ? waitBeforeRetry(error, tries) : undefined
      if (wait === undefined) throw error
      if (wait > 0) await sleep(transport.clock, wait, call.signal)
    }
  }
}

const waitBeforeRetry = (error: unknown, tries: number) => {
  if (!(error instanceof ApiError)) return undefined
  // A kept-alive connection that the server closed just now; the next one is fresh.
  if (error.reason === 'Unreachable' && tries === 1) return 0
  const busy = error.code === 429 || error.code === 503
  const { retryAfterSeconds } = error
  if (!busy || retryAfterSeconds === undefined || retryAfterSeconds > longestWait) return undefined
  return retryAfterSeconds * 1000
}
