/** Time as the room uses it, so that tests can bring their own. */
export interface Clock {
  /** Milliseconds that only ever grow: wall clocks are set back, and a lease must not follow them. */
  now(): number
  /** Runs `then` once after `ms` milliseconds; the answer cancels it. */
  after(ms: number, then: () => void): () => void
  /** At least 0 and below 1, for jitter. */
  random(): number
  /** Milliseconds since 1970, for what others read in objects. */
  wall(): number
}

export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, then) {
    const timer = setTimeout(then, ms)
    return () => clearTimeout(timer)
  },
  random: () => Math.random(),
  wall: () => Date.now(),
}

/** Waits `ms` milliseconds, or rejects with the signal's reason as soon as it is aborted. */
export const sleep = (clock: Clock, ms: number, signal?: AbortSignal) =>
  new Promise<void>((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const aborted = () => {
      cancel()
      reject(signal?.reason)
    }
    const cancel = clock.after(ms, () => {
      signal?.removeEventListener('abort', aborted)
      resolve()
    })
    signal?.addEventListener('abort', aborted, { once: true })
  })

/** Waits for `promise`, but not beyond the end of `signal`; whoever waits looks at the signal next. */
export const orAborted = async (promise: Promise<unknown>, signal: AbortSignal): Promise<void> => {
  if (signal.aborted) return
  const { promise: aborted, resolve } = Promise.withResolvers<void>()
  const onAbort = () => resolve()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** `base * 2^tries` milliseconds, at most `limit`, and of that a random half to whole, so that nobody marches in step. */
export const backoff = (clock: Clock, tries: number, base: number, limit: number) =>
  Math.min(limit, base * 2 ** Math.min(tries, 30)) * (0.5 + clock.random() / 2)

/**
 * A signal that follows the caller's and can also be aborted by a timer that `restart` winds up again.
 * Not AbortSignal.any: a process-long signal would collect one dependant for each request.
 */
export const deadline = (clock: Clock, reason: () => Error, signal?: AbortSignal) => {
  const controller = new AbortController()
  const follow = () => controller.abort(signal?.reason)
  if (signal?.aborted) follow()
  else signal?.addEventListener('abort', follow, { once: true })
  let cancel = () => {}
  return {
    signal: controller.signal,
    restart(ms: number) {
      cancel()
      cancel = clock.after(ms, () => controller.abort(reason()))
    },
    done() {
      cancel()
      signal?.removeEventListener('abort', follow)
    },
  }
}

/** `ms` since 1970 as MicroTime: six digits after the dot, no more and no fewer, or the server refuses it. */
export const microTime = (ms: number) => new Date(ms).toISOString().replace('Z', '000Z')
