import { backoff, type Clock, systemClock } from './clock.ts'
import { ApiError } from './errors.ts'

/** Handles one key: looks at the world as it is now. `requeueAfter` is in milliseconds. */
export type Handler = (
  key: string,
  signal: AbortSignal,
) => Promise<{ requeueAfter?: number | undefined } | undefined>

/** One run as the metrics see it. */
export interface RunSeen {
  key: string
  /** From being ready to being started. */
  waitedSeconds: number
  seconds: number
  failed: boolean
}

export interface QueueOptions {
  /** Keys that are handled at the same time; 16. */
  workers?: number
  /** Wait after a key's first failure, in milliseconds; doubles with each further one; 1 s. */
  firstWaitMs?: number
  /** The longest of these waits; 5 minutes. */
  longestWaitMs?: number
  /** Hears of each failed run; `tries` counts those in a row. */
  onError?: (key: string, error: unknown, tries: number) => void
  onRun?: (seen: RunSeen) => void
  clock?: Clock
}

/** Keys that want to be handled. Each waits at most once, is handled by one run at a time, and is never forgotten. */
export class Queue {
  readonly #options: QueueOptions
  readonly #clock: Clock
  /** Keys that are ready, oldest first, and since when. */
  readonly #ready = new Map<string, number>()
  readonly #running = new Set<string>()
  /** Added while they ran: once more afterwards. */
  readonly #again = new Set<string>()
  readonly #later = new Map<string, { at: number; cancel: () => void }>()
  readonly #tries = new Map<string, number>()
  #start: (() => void) | undefined

  constructor(options: QueueOptions = {}) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
  }

  /** Keys that are ready and not yet running. */
  get depth() {
    return this.#ready.size + this.#again.size
  }

  get running() {
    return this.#running.size
  }

  /** Keys that wait for their time. */
  get delayed() {
    return this.#later.size
  }

  /** Handles `key` as soon as possible, also if it waits for a retry. */
  add(key: string): void {
    if (this.#running.has(key)) this.#again.add(key)
    else if (!this.#ready.has(key)) this.#ready.set(key, this.#clock.now())
    this.#start?.()
  }

  /** Handles `key` in `ms` milliseconds. Of several such times the earliest counts: each run decides on the next. */
  addAfter(key: string, ms: number): void {
    const at = this.#clock.now() + ms
    const pending = this.#later.get(key)
    if (pending && pending.at <= at) return
    pending?.cancel()
    const cancel = this.#clock.after(ms, () => {
      this.#later.delete(key)
      this.add(key)
    })
    this.#later.set(key, { at, cancel })
  }

  /**
   * Handles keys until `signal` is aborted, then waits for the runs under way and stops all waiting. Never rejects.
   * Keys that were added before are handled as well.
   */
  async run(handler: Handler, signal: AbortSignal): Promise<void> {
    if (this.#start) throw new Error('The queue is being run already: run each one once')
    const { workers = 16 } = this.#options
    const idle = Promise.withResolvers<void>()
    const settle = () => {
      if (signal.aborted && this.#running.size === 0) idle.resolve()
    }
    this.#start = () => {
      while (!signal.aborted && this.#running.size < workers) {
        const [next] = this.#ready
        if (!next) return
        this.#ready.delete(next[0])
        this.#running.add(next[0])
        void this.#handle(handler, signal, ...next).finally(() => {
          settle()
          this.#start?.()
        })
      }
    }
    signal.addEventListener('abort', settle, { once: true })
    this.#start()
    settle()
    await idle.promise
    for (const { cancel } of this.#later.values()) cancel()
    this.#later.clear()
  }

  async #handle(handler: Handler, signal: AbortSignal, key: string, readySince: number) {
    const start = this.#clock.now()
    let failed = false
    try {
      const result = await handler(key, signal)
      this.#tries.delete(key)
      if (result?.requeueAfter !== undefined) this.addAfter(key, result.requeueAfter)
    } catch (error) {
      failed = true
      if (!signal.aborted) this.#retry(key, error)
    } finally {
      this.#running.delete(key)
      if (this.#again.delete(key)) this.add(key)
    }
    const [waitedSeconds, seconds] = [(start - readySince) / 1000, (this.#clock.now() - start) / 1000]
    this.#options.onRun?.({ key, waitedSeconds, seconds, failed })
  }

  #retry(key: string, error: unknown) {
    const { firstWaitMs = 1_000, longestWaitMs = 300_000, onError } = this.#options
    const tries = (this.#tries.get(key) ?? 0) + 1
    this.#tries.set(key, tries)
    const wait = backoff(this.#clock, tries - 1, firstWaitMs, longestWaitMs)
    const asked = error instanceof ApiError ? (error.retryAfterSeconds ?? 0) * 1000 : 0
    this.addAfter(key, Math.max(wait, Math.min(asked, longestWaitMs)))
    onError?.(key, error, tries)
  }
}
