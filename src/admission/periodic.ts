import { type Clock, systemClock } from '../kube/clock.ts'

export interface PeriodicOptions {
  /** Milliseconds from one run to the next. */
  everyMs: number
  /** The same after a run that failed. */
  retryMs: number
  onError: (error: unknown) => void
  clock?: Clock | undefined
}

/** Something that is done now and then. */
export interface Periodic {
  /** Does it now, and again later. Never rejects: false if it failed, and `onError` has heard why. */
  run: () => Promise<boolean>
  stop: () => void
}

/**
 * Repeats `task` in short steps instead of sleeping until some date: a clock that jumps, or a process that was paused, is
 * noticed at the next step. Runs never overlap; one that is asked for meanwhile follows.
 */
export const periodic = (task: () => Promise<void>, options: PeriodicOptions): Periodic => {
  const clock = options.clock ?? systemClock
  let cancel = () => {}
  let stopped = false
  let last = Promise.resolve(true)
  const attempt = async () => {
    try {
      await task()
      return true
    } catch (error) {
      options.onError(error)
      return false
    }
  }
  const once = async () => {
    if (stopped) return false
    cancel()
    const done = await attempt()
    if (!stopped) cancel = clock.after(done ? options.everyMs : options.retryMs, () => void run())
    return done
  }
  const run = () => {
    last = last.then(once)
    return last
  }
  return {
    run,
    stop: () => {
      stopped = true
      cancel()
    },
  }
}
