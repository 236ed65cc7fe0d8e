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

/** So many keys are remembered; of more, those whose budget is full again are forgotten. */
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
  const forgetFull = () => {
    for (const key of spent.keys()) if (left(key) >= capacity) spent.delete(key)
  }
  // With as many keys in use as are remembered, a new one waits: forgetting one would give it a new budget.
  const isUnknownAndFull = (key: string) => spent.size > mostKeys && !spent.has(key)
  return {
    waitSeconds: (key) => {
      const account = isUnknownAndFull(key) ? 0 : left(key)
      return Math.max(0, Math.ceil(((1 - account) * refillMs) / 1000))
    },
    spend: (key, amount) => {
      if (amount === 0) return
      const account = { left: left(key) - amount, at: now() }
      spent.delete(key)
      spent.set(key, account)
      if (spent.size > mostKeys) forgetFull()
    },
  }
}
