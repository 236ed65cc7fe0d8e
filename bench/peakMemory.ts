import { readFileSync } from 'node:fs'

const read = (file: string): string => {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    // The process has ended in between.
    return ''
  }
}

const withDescendants = (pid: number): number[] => {
  const children = read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number)
  return [pid, ...children.flatMap(withDescendants)]
}

/** The most that a process has needed so far, in bytes of resident memory. */
const most = (pid: number) => Number(/VmHWM:\s+(\d+)/.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) * 1024

/**
 * Watches a process and everything below it. `stop` tells in bytes how much resident memory those that live together have
 * needed at most: never too little, as each counts with its own peak.
 */
export const peakMemory = (root: () => number | undefined) => {
  let peak = 0
  const look = () => {
    const pid = root()
    if (pid === undefined) return
    const sum = withDescendants(pid).reduce((bytes, each) => bytes + most(each), 0)
    peak = Math.max(peak, sum)
  }
  const timer = setInterval(look, 100)
  return {
    stop: (): number => {
      clearInterval(timer)
      return peak
    },
  }
}
