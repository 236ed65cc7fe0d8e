import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { ApiError } from '../../src/kube/errors.ts'
import { Queue } from '../../src/kube/queue.ts'
import { FakeClock, settle } from './fakeClock.ts'

let clock: FakeClock
let stop: AbortController
beforeEach(() => {
  clock = new FakeClock()
  stop = new AbortController()
})

/** A handler whose runs the test ends itself. */
const manual = () => {
  const started: string[] = []
  const ends: ((failure?: Error) => void)[] = []
  const handler = (key: string) =>
    new Promise<undefined>((resolve, reject) => {
      started.push(key)
      ends.push((failure) => (failure ? reject(failure) : resolve(undefined)))
    })
  const end = async (failure?: Error) => {
    ends.shift()?.(failure)
    await settle()
  }
  return { started, handler, end }
}

describe('a queue', () => {
  it('handles a key once, however often it was added', async () => {
    const queue = new Queue({ clock })
    const { started, handler } = manual()
    queue.add('a')
    queue.add('a')
    queue.add('b')
    expect(queue.depth).toBe(2)
    void queue.run(handler, stop.signal)
    expect(started).toEqual(['a', 'b'])
    expect([queue.depth, queue.running]).toEqual([0, 2])
  })

  it('handles a key that was added while it ran once more, and not at the same time', async () => {
    const queue = new Queue({ clock })
    const { started, handler, end } = manual()
    void queue.run(handler, stop.signal)
    queue.add('a')
    queue.add('a')
    queue.add('a')
    expect(started).toEqual(['a'])
    await end()
    expect(started).toEqual(['a', 'a'])
    await end()
    expect(started).toEqual(['a', 'a'])
  })

  it('handles no more keys at once than it has workers', async () => {
    const queue = new Queue({ clock, workers: 2 })
    const { started, handler, end } = manual()
    void queue.run(handler, stop.signal)
    for (const key of ['a', 'b', 'c', 'd']) queue.add(key)
    expect(started).toEqual(['a', 'b'])
    await end()
    expect(started).toEqual(['a', 'b', 'c'])
  })

  it('waits longer after each failure in a row, up to five minutes, and says so', async () => {
    const tries: number[] = []
    const queue = new Queue({ clock, onError: (_key, _error, n) => tries.push(n) })
    let fail = true
    let runs = 0
    void queue.run(async () => {
      runs++
      if (fail) throw new Error('no')
      return undefined
    }, stop.signal)
    queue.add('a')
    await settle()
    for (let n = 1; n < 11; n++) {
      expect(runs).toBe(n)
      const wait = Math.min(300_000, 1_000 * 2 ** (n - 1))
      await clock.advance(wait - 1)
      expect(runs).toBe(n)
      await clock.advance(1)
    }
    expect(tries).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    fail = false
    await clock.advance(300_000)
    expect(runs).toBe(12)
    fail = true
    queue.add('a')
    await clock.advance(0)
    expect(tries.at(-1)).toBe(1)
    expect(clock.isWaiting(1_000)).toBe(true)
  })

  it('waits at least as long as the server asks for', async () => {
    const queue = new Queue({ clock })
    void queue.run(async () => {
      throw new ApiError(429, 'TooManyRequests', 'busy', { retryAfterSeconds: 20 })
    }, stop.signal)
    queue.add('a')
    await settle()
    expect(clock.isWaiting(20_000)).toBe(true)
  })

  it('handles a key at once that waits for its retry', async () => {
    const queue = new Queue({ clock })
    let runs = 0
    void queue.run(async () => {
      runs++
      throw new Error('no')
    }, stop.signal)
    queue.add('a')
    await settle()
    queue.add('a')
    await settle()
    expect(runs).toBe(2)
  })

  it('comes back when the handler asks for it, at the earliest time that was asked for', async () => {
    const queue = new Queue({ clock })
    let runs = 0
    const times = [60_000, undefined]
    void queue.run(async () => ({ requeueAfter: times[runs++] }), stop.signal)
    queue.add('a')
    await settle()
    queue.addAfter('a', 90_000)
    queue.addAfter('a', 30_000)
    expect(queue.delayed).toBe(1)
    await clock.advance(29_999)
    expect(runs).toBe(1)
    await clock.advance(1)
    expect(runs).toBe(2)
    await clock.advance(1_000_000)
    expect(runs).toBe(2)
  })

  it('waits for the runs under way when it stops, and starts no others', async () => {
    const errors: unknown[] = []
    const queue = new Queue({ clock, workers: 1, onError: (_key, error) => errors.push(error) })
    const { started, handler, end } = manual()
    let stopped = false
    const running = queue.run(handler, stop.signal).then(() => {
      stopped = true
    })
    queue.add('a')
    queue.add('b')
    queue.addAfter('c', 1_000)
    stop.abort()
    await settle()
    expect(stopped).toBe(false)
    await end(new Error('aborted half-way'))
    await running
    expect(started).toEqual(['a'])
    expect(errors).toEqual([])
    expect(clock.timers).toBe(0)
  })

  it('tells how long a key waited and ran', async () => {
    const seen: unknown[] = []
    const queue = new Queue({ clock, onRun: (run) => seen.push(run) })
    const { handler, end } = manual()
    queue.add('a')
    clock.jump(2_000)
    void queue.run(handler, stop.signal)
    clock.jump(3_000)
    await end()
    expect(seen).toEqual([{ key: 'a', waitedSeconds: 2, seconds: 3, failed: false }])
  })
})

interface Step {
  do: 'add' | 'addAfter' | 'wait'
  key: string
  ms: number
}

const steps = fc.array(
  fc.record({
    do: fc.constantFrom<Step['do']>('add', 'add', 'addAfter', 'wait'),
    key: fc.constantFrom('a', 'b', 'c', 'd'),
    ms: fc.integer({ min: 0, max: 5_000 }),
  }),
  { minLength: 1, maxLength: 60 },
)
/** Of each run in turn: how long it takes and whether it fails. */
const outcomes = fc.array(fc.record({ ms: fc.integer({ min: 0, max: 3_000 }), fails: fc.boolean() }), {
  maxLength: 80,
})

/** Runs a plan to its end on a clock of its own, and keeps account. */
const play = async (plan: Step[], results: { ms: number; fails: boolean }[], workers: number) => {
  const time = new FakeClock()
  time.idle = () => new Promise((resolve) => setImmediate(resolve))
  const end = new AbortController()
  const queue = new Queue({ clock: time, workers })
  const account = {
    lastAdd: new Map<string, number>(),
    lastStart: new Map<string, number>(),
    failedLast: new Set<string>(),
    twiceAtOnce: false,
    mostAtOnce: 0,
  }
  const running = new Set<string>()
  let moment = 0
  let runs = 0
  const done = queue.run(async (key) => {
    if (running.has(key)) account.twiceAtOnce = true
    running.add(key)
    account.mostAtOnce = Math.max(account.mostAtOnce, running.size)
    account.lastStart.set(key, ++moment)
    const { ms, fails } = results[runs++] ?? { ms: 1, fails: false }
    await new Promise<void>((resolve) => time.after(ms, resolve))
    running.delete(key)
    account.failedLast.delete(key)
    if (!fails) return undefined
    account.failedLast.add(key)
    throw new Error('planned')
  }, end.signal)

  const step: Record<Step['do'], (key: string, ms: number) => void> = {
    wait: () => undefined,
    add: (key) => queue.add(key),
    addAfter: (key, ms) => queue.addAfter(key, ms),
  }
  for (const { do: what, key, ms } of plan) {
    if (what === 'wait') await time.advance(ms)
    else account.lastAdd.set(key, ++moment)
    step[what](key, ms)
  }
  while (time.timers > 0) await time.advance(300_000)
  const left = [queue.depth, queue.running, queue.delayed]
  end.abort()
  await done
  return { ...account, left }
}

it('handles the last add of every key, and never a key twice at once, whatever happens', async () => {
  await fc.assert(
    fc.asyncProperty(steps, outcomes, fc.integer({ min: 1, max: 3 }), async (plan, results, workers) => {
      const account = await play(plan, results, workers)
      for (const [key, added] of account.lastAdd) expect(account.lastStart.get(key)).toBeGreaterThan(added)
      expect(account.twiceAtOnce).toBe(false)
      expect(account.mostAtOnce).toBeLessThanOrEqual(workers)
      expect([...account.failedLast]).toEqual([])
      expect(account.left).toEqual([0, 0, 0])
    }),
    { numRuns: 150 },
  )
})
