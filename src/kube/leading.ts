import type { LeaseElection } from './lease.ts'

export interface Leading {
  election: Pick<LeaseElection, 'run' | 'held'>
  /** Resolves when the Lease is taken. */
  acquired: Promise<void>
  /** Begins when the Lease is taken; its signal aborts when it shall end, or the Lease is lost. */
  work: (signal: AbortSignal) => Promise<void>
  /** The process shall end. */
  signal: AbortSignal
}

/**
 * Waits for the Lease, works while it is held, and gives it back when `signal` aborts and the work has ended. Rejects with
 * the work's error if that fails, or if the Lease is lost: somebody else works then, and nothing that is half done here may
 * go on.
 */
export const lead = async ({ election, acquired, work, signal }: Leading): Promise<void> => {
  const working = new AbortController()
  const leading = new AbortController()
  const failures: unknown[] = []
  const worked = acquired
    .then(() => (working.signal.aborted ? undefined : work(working.signal)))
    .catch((error) => {
      // Nobody would work any more: the process ends, and another replica takes over.
      failures.push(error)
      leading.abort()
    })
  const stop = async () => {
    working.abort()
    // Only after the last write: another replica starts as soon as the Lease is free.
    if (election.held()) await worked
    leading.abort()
  }
  const onStop = () => void stop()
  signal.addEventListener('abort', onStop, { once: true })
  if (signal.aborted) onStop()
  try {
    await election.run(leading.signal)
  } finally {
    signal.removeEventListener('abort', onStop)
    working.abort()
  }
  if (failures.length > 0) throw failures[0]
  if (!signal.aborted)
    throw new Error('The Lease was lost: another replica leads, this process ends and starts anew')
}
