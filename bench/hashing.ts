import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { setImmediate as immediate, setTimeout as sleep } from 'node:timers/promises'
import { hash } from '../src/passwords/cachingSha2.ts'
import { createCredential } from '../src/passwords/credential.ts'
import { createHasher } from '../src/passwords/hasher.ts'

/**
 * What hashing passwords costs the event loop, on it and in the worker: `node bench/hashing.ts`.
 * Each case hashes 20 passwords, of as many requests that arrive in one turn of the loop, 15 times; medians
 * in milliseconds.
 */
const passwords = Array.from({ length: 20 }, (_, i) => Buffer.from(`a password of usual length ${i}`))
const repetitions = 15

interface Measured {
  readonly total: number
  readonly longestDelay: number
}

async function measure(work: () => Promise<unknown>): Promise<Measured> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  // The histogram needs a first turn to measure from.
  await sleep(20)
  const start = performance.now()
  await work()
  const total = performance.now() - start
  // A turn of the loop, so that a delay which lasted until now is counted.
  await sleep(5)
  delay.disable()
  return { total, longestDelay: delay.max / 1e6 }
}

function median(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b)
  return (sorted[Math.floor(sorted.length / 2)] ?? 0).toFixed(1)
}

async function report(name: string, work: () => Promise<unknown>): Promise<void> {
  const measured: Measured[] = []
  for (let i = 0; i < repetitions; i++) measured.push(await measure(work))
  const total = median(measured.map((m) => m.total))
  const longestDelay = median(measured.map((m) => m.longestDelay))
  console.log(`${name.padEnd(24)} all ${total.padStart(6)} ms, longest delay ${longestDelay.padStart(6)} ms`)
}

function oneHash(form: 'A' | 'B', rounds: number): string {
  const times = Array.from({ length: 30 }, () => {
    const start = performance.now()
    hash(Buffer.from('a password of usual length'), { form, rounds })
    return performance.now() - start
  })
  return median(times)
}

for (const form of ['A', 'B'] as const)
  for (const rounds of [5_000, 10_000])
    console.log(`one hash, form ${form}, ${rounds} rounds: ${oneHash(form, rounds)} ms`)

const hasher = createHasher()
await hasher.hash(Buffer.from('the first starts the worker'), 'caching_sha2_password')
await report('nothing', () => sleep(100))
await report('on the event loop', () =>
  Promise.all(
    passwords.map(async (password) => {
      await immediate()
      createCredential(password, 'caching_sha2_password')
    }),
  ),
)
await report('in the worker', () =>
  Promise.all(passwords.map((password) => hasher.hash(password, 'caching_sha2_password'))),
)
await hasher.close()
