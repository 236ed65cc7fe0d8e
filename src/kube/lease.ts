import type { Client } from './client.ts'
import { type Clock, microTime, sleep, systemClock } from './clock.ts'
import { ApiError, alreadyExists, conflict } from './errors.ts'
import { Lease } from './kinds.ts'

export interface LeaseOptions {
  namespace: string
  name: string
  /** Who this process is: unique for each life, such as the pod's name and a random part. */
  identity: string
  /** After so long without a renewal others may take the Lease, in milliseconds; 15 s. */
  durationMs?: number
  /** After so long without a renewal this process holds it no more; below `durationMs`; 10 s. */
  renewDeadlineMs?: number
  /** Between two tries, in milliseconds; 2 s. */
  retryMs?: number
  onAcquired?: () => void
  /** The Lease is lost, and not by choice. There is no way back: end the process. */
  onLost?: () => void
  /** Hears of each failed try. */
  onError?: (error: unknown) => void
  clock?: Clock
}

/** A write was stopped, since this process does not hold the Lease. */
export class NotLeader extends Error {
  constructor() {
    super('Not the leader (any more): the replica that holds the Lease does this')
    this.name = 'NotLeader'
  }
}

type Spec = NonNullable<Lease['spec']>

/** A try may hang on a dead connection for so long; the deadline leaves time for another one, in milliseconds. */
const tryMs = 5_000

/**
 * One life of a candidate: waits for the Lease, holds it, loses or releases it. The client must have no fence.
 *
 * No clocks are compared: how old another's Lease is, is counted from when it was last seen to change, and how old the
 * own one is, from before the renewal was sent. So the holder stops before anybody else starts.
 */
export class LeaseElection {
  readonly #client: Client
  readonly #options: Required<Omit<LeaseOptions, 'onAcquired' | 'onLost' | 'onError'>> & LeaseOptions
  readonly #clock: Clock
  /** When the last successful renewal was sent; undefined while not the holder. */
  #renewedAt: number | undefined
  #resourceVersion: string | undefined
  #observed: { record: string; at: number; lasts: number } | undefined

  constructor(client: Client, options: LeaseOptions) {
    this.#client = client
    this.#clock = options.clock ?? systemClock
    const times = { durationMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 }
    this.#options = { ...times, clock: this.#clock, ...options }
  }

  /** Whether this process may write now. Right also in the first moment after it was stopped for a while. */
  held(): boolean {
    return this.#remaining() > 0
  }

  /** For `beforeWrite`: throws NotLeader unless the Lease is held. */
  readonly fence = (): void => {
    if (!this.held()) throw new NotLeader()
  }

  /**
   * Resolves when the Lease is lost, or released because `signal` was aborted. Abort only after the last write:
   * another replica starts at once.
   */
  async run(signal: AbortSignal): Promise<void> {
    if (!(await this.#acquire(signal))) return
    this.#options.onAcquired?.()
    await this.#keep(signal)
    if (this.held()) return this.#release()
    this.#renewedAt = undefined
    this.#options.onLost?.()
  }

  /** Milliseconds until the Lease must be regarded as lost. */
  #remaining() {
    if (this.#renewedAt === undefined) return 0
    return this.#options.renewDeadlineMs - (this.#clock.now() - this.#renewedAt)
  }

  async #acquire(signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted) {
      await this.#try(() => this.#take(), signal)
      if (this.held()) return true
      // Up to a fifth longer, so that candidates do not all ask at once.
      await this.#pause(this.#options.retryMs * (1 + this.#clock.random() / 5), signal)
    }
    return false
  }

  async #keep(signal: AbortSignal) {
    while (this.held() && !signal.aborted) {
      await this.#pause(Math.min(this.#options.retryMs, this.#remaining()), signal)
      if (this.held() && !signal.aborted) await this.#try(() => this.#renew(), signal)
    }
  }

  async #pause(ms: number, signal: AbortSignal) {
    try {
      await sleep(this.#clock, ms, signal)
    } catch {
      // Only the signal ends a sleep early, and both loops look at that next.
    }
  }

  async #try(attempt: () => Promise<void>, signal: AbortSignal) {
    try {
      await attempt()
    } catch (error) {
      if (!signal.aborted) this.#options.onError?.(error)
    }
  }

  /** Reads the Lease, and takes it if nobody holds it or its holder has been silent for too long. */
  async #take() {
    this.#renewedAt = undefined
    const lease = await this.#client.get(Lease, this.#options, this.#limits())
    if (!lease) {
      // Deleted under its holder, who has not noticed yet.
      if (this.#observed && !this.#silent()) return
      return this.#write(() => this.#create())
    }
    this.#observe(lease)
    const { identity } = this.#options
    const spec = lease.spec ?? {}
    if (spec.holderIdentity && spec.holderIdentity !== identity && !this.#silent()) return
    const now = microTime(this.#clock.wall())
    const changed = spec.holderIdentity !== identity
    const leaseTransitions = (spec.leaseTransitions ?? 0) + (changed ? 1 : 0)
    const acquireTime = changed ? now : (spec.acquireTime ?? now)
    await this.#write(() =>
      this.#patch(lease.metadata.resourceVersion, { ...this.#record(now), acquireTime, leaseTransitions }),
    )
  }

  async #renew() {
    const renewTime = microTime(this.#clock.wall())
    try {
      await this.#write(() => this.#patch(this.#resourceVersion, { renewTime }))
    } catch (error) {
      if (!conflict(error) && !(error instanceof ApiError && error.code === 404)) throw error
      await this.#reclaim()
    }
  }

  /** Somebody wrote to the Lease, perhaps we ourselves by a renewal whose answer was lost; or it was deleted. */
  async #reclaim() {
    const lease = await this.#client.get(Lease, this.#options, this.#limits())
    if (lease && lease.spec?.holderIdentity !== this.#options.identity) {
      this.#renewedAt = undefined
      return
    }
    const spec = this.#record(microTime(this.#clock.wall()))
    await this.#write(() => (lease ? this.#patch(lease.metadata.resourceVersion, spec) : this.#create()))
  }

  /** Holds the Lease from before the request was sent, unless it has been lost while that was under way. */
  async #write(send: () => Promise<Lease>) {
    const sent = this.#clock.now()
    const renewal = this.#renewedAt !== undefined
    try {
      const lease = await send()
      this.#resourceVersion = lease.metadata.resourceVersion
      if (!renewal || this.held()) this.#renewedAt = sent
    } catch (error) {
      // Another candidate was faster; the next try sees its record.
      if (renewal || !(conflict(error) || alreadyExists(error))) throw error
    }
  }

  #create() {
    const { namespace, name } = this.#options
    const now = microTime(this.#clock.wall())
    const spec = { ...this.#record(now), acquireTime: now, leaseTransitions: 0 }
    const lease = { apiVersion: Lease.apiVersion, kind: Lease.kind, metadata: { namespace, name }, spec }
    return this.#client.create(Lease, lease, this.#limits())
  }

  #patch(resourceVersion: string | undefined, spec: Partial<Spec>) {
    if (!resourceVersion) throw new Error('A Lease without a resourceVersion cannot be taken safely')
    const body = { metadata: { resourceVersion }, spec }
    return this.#client.patch(Lease, this.#options, body, 'merge', this.#limits())
  }

  #record(renewTime: string) {
    const { identity, durationMs } = this.#options
    return { holderIdentity: identity, leaseDurationSeconds: Math.ceil(durationMs / 1000), renewTime }
  }

  #limits() {
    const left = this.#remaining()
    return { timeoutMs: left > 0 ? Math.min(tryMs, left) : tryMs }
  }

  #observe({ spec = {} }: Lease) {
    const record = JSON.stringify(spec)
    if (this.#observed?.record === record) return
    const lasts = (spec.leaseDurationSeconds ?? 0) * 1000 || this.#options.durationMs
    this.#observed = { record, at: this.#clock.now(), lasts }
  }

  /** Whether the record has not changed for as long as it promised to last. */
  #silent() {
    return this.#observed !== undefined && this.#clock.now() - this.#observed.at >= this.#observed.lasts
  }

  /** Gives the Lease back, so that another replica need not wait until it runs out. */
  async #release() {
    this.#renewedAt = undefined
    const renewTime = microTime(this.#clock.wall())
    try {
      await this.#patch(this.#resourceVersion, {
        holderIdentity: null as never,
        leaseDurationSeconds: 1,
        renewTime,
      })
    } catch (error) {
      this.#options.onError?.(error)
    }
  }
}
