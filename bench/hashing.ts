import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { setImmediate as immediate, setTimeout as sleep } from 'node:timers/promises'
import { hash } from '../src/passwords/cachingSha2.ts'
import { createCredential } from '../src/passwords/credential.ts'
import { createHasher } from '../src/passwords/hasher.ts'

/**
 * What hashing passwords costs the event loop, on it and in the worker: `node bench/hashing.ts`.
 * Each case hashes 20 passwords, of as many requests that arrive in one turn of the loop. The cases take turns, so that a
 * busy moment of the machine meets all of them. Prints medians and extremes in milliseconds.
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

/** Median and extremes, such as `12.3 (11.9 to 14.0)`. */
function spread(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b)
  const [least, middle, most] = [0, Math.floor(sorted.length / 2), sorted.length - 1].map((i) =>
    (sorted[i] ?? 0).toFixed(1),
  )
  return `${middle} (${least} to ${most})`
}

function oneHash(form: 'A' | 'B', rounds: number): string {
  const times = Array.from({ length: 30 }, () => {
    const start = performance.now()
    hash(Buffer.from('a password of usual length'), { form, rounds })
    return performance.now() - start
  })
  return spread(times)
}

for (const form of ['A', 'B'] as const)
  for (const rounds of [5_000, 10_000])
    console.log(`one hash, form ${form}, ${rounds} rounds: ${oneHash(form, rounds)} ms`)

const hasher = createHasher()
await hasher.hash(Buffer.from('the first starts the worker'), 'caching_sha2_password')

const cases: Record<string, () => Promise<unknown>> = {
  'nothing (a pause of 100 ms)': () => sleep(100),
  'with the worker': () =>
    Promise.all(passwords.map((password) => hasher.hash(password, 'caching_sha2_password'))),
  'without it, on the loop': () =>
    Promise.all(
      passwords.map(async (password) => {
        await immediate()
        createCredential(password, 'caching_sha2_password')
      }),
    ),
}
const measured = Object.entries(cases).map(([name, work]) => ({ name, work, results: [] as Measured[] }))
for (let i = 0; i < repetitions; i++)
  for (const { work, results } of measured) results.push(await measure(work))

const line = (name: string, delay: string, total: string) =>
  console.log(name.padEnd(30) + delay.padEnd(30) + total)
console.log()
line(`${passwords.length} passwords at once`, 'longest delay of the loop, ms', 'all done after, ms')
for (const { name, results } of measured) {
  const delays = results.map(({ longestDelay }) => longestDelay)
  line(name, spread(delays), spread(results.map(({ total }) => total)))
}
await hasher.close()
