/** Counts something per key and says when there was too much of it. */
export interface Budget {
  /** Seconds until the key may go on; 0 if it may now. */
  waitSeconds: (key: string) => number
  /** May go below nothing: what was spent beyond it has to come in again first. */
  spend: (key: string, amount: number) => void
}

interface Account {
  left: number
  at: number
}

/** So many keys are remembered; the one that was used longest ago goes first. */
const mostKeys = 10_000

/**
 * A budget of `capacity` that fills again at one every `refillMs`. `/mutate` tells whether a password is the one in force,
 * so that whoever may write a resource, or reach the webhook, could try one after the other.
 */
export const createBudget = (capacity: number, refillMs: number, now: () => number): Budget => {
  const spent = new Map<string, Account>()
  const left = (key: string) => {
    const account = spent.get(key)
    return account ? Math.min(capacity, account.left + (now() - account.at) / refillMs) : capacity
  }
  return {
    waitSeconds: (key) => Math.max(0, Math.ceil(((1 - left(key)) * refillMs) / 1000)),
    spend: (key, amount) => {
      if (amount === 0) return
      const account = { left: left(key) - amount, at: now() }
      spent.delete(key)
      spent.set(key, account)
      const [oldest] = spent.keys()
      if (spent.size > mostKeys && oldest !== undefined) spent.delete(oldest)
    },
  }
}
