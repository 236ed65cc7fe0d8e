import type { TypedResource } from '../api/resource.ts'
import { Cache, type Change } from './cache.ts'
import type { Client } from './client.ts'
import { backoff, type Clock, deadline, sleep, systemClock } from './clock.ts'
import { ApiError, expired } from './errors.ts'
import type { Kind } from './kinds.ts'
import type { WatchEvent } from './watch.ts'

export interface InformerOptions<T> {
  labelSelector?: string | undefined
  fieldSelector?: string | undefined
  /** All namespaces without it. */
  namespace?: string | undefined
  /** What goes into the cache instead of the object; managedFields are gone already. */
  transform?: ((object: T) => T) | undefined
  /** So often a whole list finds what the watch has missed; milliseconds, 10 minutes. */
  relistMs?: number | undefined
  /** Hears of each failure, which is retried, and of what handlers throw. */
  onError?: ((error: unknown) => void) | undefined
  clock?: Clock
}

/** Called with the new state, the one before (undefined for a new object), and whether the object is gone. */
export type ChangeHandler<T> = (object: T, previous: T | undefined, deleted: boolean) => void

/** First wait after a failure and the longest, in milliseconds. */
const [firstWait, longestWait] = [250, 30_000]
/** A watch that says nothing and is over sooner than this did not work, in milliseconds. */
const shortestWatch = 5_000
/** The server ends a watch after 240 to 300 seconds; silence longer than that, and this much more, is a dead connection. */
const silenceBeyond = 10_000

/**
 * Keeps a cache of one kind true, whatever happens to the connection: lists, then watches, and starts again where that
 * breaks. Objects in the cache are shared: whoever reads them must not change them.
 */
export class Informer<T extends TypedResource> {
  /** Resolves when the first list is in the cache; rejects if stopped before. */
  readonly synced: Promise<void>
  hasSynced = false
  /** When the server last said something, on the clock's monotonic time in milliseconds; undefined until it has. */
  lastContact: number | undefined
  /** Settles when the informer has stopped. Never rejects. */
  stopped: Promise<void> = Promise.resolve()
  /** For metrics. `repaired`: changes that a periodic list knew before the watch did. */
  readonly counts = { lists: 0, watches: 0, failures: 0, repaired: 0 }

  readonly #client: Client
  readonly #kind: Kind<T>
  readonly #options: InformerOptions<T>
  readonly #clock: Clock
  readonly #cache = new Cache<T>()
  readonly #handlers = new Set<ChangeHandler<T>>()
  readonly #firstList = Promise.withResolvers<void>()
  /** Where the watch goes on; undefined: from a new list. */
  #resourceVersion: string | undefined
  #relistAt = 0
  /** Failures since the last watch event. A list that works is no reason to believe that the watch will. */
  #failures = 0
  #started = false

  constructor(client: Client, kind: Kind<T>, options: InformerOptions<T> = {}) {
    this.#client = client
    this.#kind = kind
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.synced = this.#firstList.promise
    // Whoever waits for it hears of a rejection; nobody has to wait.
    this.synced.catch(() => undefined)
  }

  /** Runs until `signal` is aborted. */
  start(signal: AbortSignal): void {
    if (this.#started) throw new Error(`The informer of ${this.#kind.kind} runs already: start each one once`)
    this.#started = true
    this.stopped = this.#run(signal)
  }

  get(namespace: string | undefined, name: string): T | undefined {
    return this.#cache.get(namespace, name)
  }

  list(): T[] {
    return this.#cache.list()
  }

  get size() {
    return this.#cache.size
  }

  /** Hears of every change from now on, and at once of what is in the cache. The answer ends that. */
  onChange(handler: ChangeHandler<T>): () => void {
    this.#handlers.add(handler)
    for (const object of this.list()) this.#tell([handler], { object, previous: undefined, deleted: false })
    return () => this.#handlers.delete(handler)
  }

  async #run(signal: AbortSignal) {
    while (!signal.aborted) {
      try {
        if (this.#resourceVersion === undefined) await this.#list(signal)
        await this.#watch(signal)
      } catch (error) {
        if (!signal.aborted) await this.#waitAfter(error, signal)
      }
    }
    this.#firstList.reject(signal.reason)
  }

  async #waitAfter(error: unknown, signal: AbortSignal) {
    this.counts.failures++
    this.#options.onError?.(error)
    const asked = error instanceof ApiError ? (error.retryAfterSeconds ?? 0) * 1000 : 0
    const wait = backoff(this.#clock, this.#failures++, firstWait, longestWait)
    try {
      await sleep(this.#clock, Math.max(wait, Math.min(asked, longestWait)), signal)
    } catch {
      // Only the signal ends a sleep early, and the loop looks at that next.
    }
  }

  async #list(signal: AbortSignal) {
    const { labelSelector, fieldSelector, namespace, relistMs = 600_000 } = this.#options
    const transform = (object: T) => this.#trimmed(object)
    const select = { labelSelector, fieldSelector, namespace, transform, signal }
    const { items, resourceVersion } = await this.#client.list(this.#kind, select)
    this.counts.lists++
    this.#heard()
    const periodic = this.hasSynced && this.#failures === 0 && this.#clock.now() >= this.#relistAt
    const changes = this.#cache.replace(items)
    if (periodic) this.counts.repaired += changes.length
    this.#resourceVersion = resourceVersion
    // A tenth earlier or later, so that informers do not all list at once.
    this.#relistAt = this.#clock.now() + relistMs * (0.9 + this.#clock.random() / 5)
    for (const change of changes) this.#tell(this.#handlers, change)
    this.hasSynced = true
    this.#firstList.resolve()
  }

  async #watch(signal: AbortSignal) {
    const relistDue = new Error('a periodic list is due')
    const limit = deadline(this.#clock, () => relistDue, signal)
    limit.restart(Math.max(0, this.#relistAt - this.#clock.now()))
    const start = this.#clock.now()
    let events = 0
    try {
      for await (const event of this.#events(limit.signal)) {
        events++
        this.#failures = 0
        this.#take(event)
      }
      if (events === 0 && this.#clock.now() - start < shortestWatch)
        throw new Error(`The watch of ${this.#kind.plural} ended at once; it is started again from a list`)
      this.#heard()
    } catch (error) {
      // A stream that worked goes on where it broke; one that never did starts from a list.
      if (events === 0 || expired(error) || error === relistDue) this.#resourceVersion = undefined
      if (error !== relistDue) throw error
    } finally {
      limit.done()
    }
  }

  #events(signal: AbortSignal) {
    const { labelSelector, fieldSelector, namespace } = this.#options
    const timeoutSeconds = 240 + Math.floor(this.#clock.random() * 60)
    this.counts.watches++
    return this.#client.watch(this.#kind, {
      ...{ labelSelector, fieldSelector, namespace, timeoutSeconds, signal },
      resourceVersion: this.#resourceVersion ?? '',
      inactivityMs: timeoutSeconds * 1000 + silenceBeyond,
    })
  }

  #take({ type, object }: WatchEvent<T>) {
    this.#heard()
    this.#resourceVersion = object.metadata.resourceVersion
    if (type === 'BOOKMARK') return
    const trimmed = this.#trimmed(object)
    const changes = type === 'DELETED' ? this.#cache.remove(trimmed) : this.#cache.put(trimmed)
    for (const change of changes) this.#tell(this.#handlers, change)
  }

  #heard() {
    this.lastContact = this.#clock.now()
  }

  #trimmed(object: T) {
    delete object.metadata.managedFields
    return this.#options.transform ? this.#options.transform(object) : object
  }

  #tell(handlers: Iterable<ChangeHandler<T>>, { object, previous, deleted }: Change<T>) {
    for (const handler of handlers) {
      try {
        handler(object, previous, deleted)
      } catch (error) {
        // One handler's mistake must not stop the cache, nor keep the news from the others.
        this.#options.onError?.(error)
      }
    }
  }
}
