import { vi } from 'vitest'

/** Waits for `condition`, with patience for a busy machine and without wasting time on an idle one. */
export const until = (condition: () => boolean) => vi.waitUntil(condition, { timeout: 4_500, interval: 3 })
