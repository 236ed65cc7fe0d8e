import type { Clock } from '../../src/kube/clock.ts'

interface Timer {
  at: number
  then: () => void
}

/** A clock that stands still until it is told to go on. */
export class FakeClock implements Clock {
  time = 1_000
  /** What `random` answers; 1, which a real one never reaches, makes each backoff as long as it can be. */
  chance = 1
  /** Every wait that was asked for, in milliseconds. */
  readonly asked: number[] = []
  /** Waits until nothing happens any more at this moment of the clock. */
  idle: () => Promise<void> = settle
  readonly #timers = new Set<Timer>()
  #set = 0

  now = () => this.time
  wall = () => Date.UTC(2030, 0, 1) + this.time + this.#set
  random = () => this.chance

  after = (ms: number, then: () => void) => {
    const timer = { at: this.time + ms, then }
    this.asked.push(ms)
    this.#timers.add(timer)
    return () => {
      this.#timers.delete(timer)
    }
  }

  /** Whether something waits for exactly `ms` milliseconds more. */
  isWaiting(ms: number) {
    return [...this.#timers].some((timer) => timer.at === this.time + ms)
  }

  get timers() {
    return this.#timers.size
  }

  /** Lets `ms` milliseconds pass, timer by timer, each with time for what it sets off. */
  async advance(ms: number) {
    const end = this.time + ms
    for (;;) {
      await this.idle()
      const [due] = [...this.#timers].filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)
      if (!due) break
      this.time = Math.max(this.time, due.at)
      this.#timers.delete(due)
      due.then()
    }
    this.time = Math.max(this.time, end)
    await this.idle()
  }

  /** The clock goes on while nobody runs: what a stopped process sees when it is continued. */
  jump(ms: number) {
    this.time += ms
  }

  /** Somebody sets the wall clock, by so many milliseconds forward, or back. */
  set(ms: number) {
    this.#set += ms
  }
}

/** Lets promises that are already decided run on. */
export const settle = async () => {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
}
