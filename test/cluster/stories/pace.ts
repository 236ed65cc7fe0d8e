import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Waits for the next of the moments that are so many milliseconds apart. What was missed is not made up for: after a pause
 * there would be nothing but that.
 */
export const pace = (): ((everyMs: number) => Promise<void>) => {
  let due = performance.now()
  return async (everyMs) => {
    due = Math.max(due + everyMs, performance.now())
    await sleep(Math.max(0, due - performance.now()))
  }
}
