/** Takes one line of progress. */
export type Log = (line: string) => void

/** A log that writes to stderr, with the seconds since it was made in front: `[  42s] kubelet built`. */
export function progressLog(): Log {
  const start = Date.now()
  return (line) => {
    const seconds = Math.round((Date.now() - start) / 1000)
    process.stderr.write(`[${String(seconds).padStart(4)}s] ${line}\n`)
  }
}

/** Runs an action and says afterwards how many seconds it took. */
export async function timed<T>(log: Log, what: string, action: () => Promise<T>): Promise<T> {
  const start = Date.now()
  const result = await action()
  log(`${what} (${((Date.now() - start) / 1000).toFixed(1)} s)`)
  return result
}
