/** A steady flow of admissions, and how many of them fail while something happens. */
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Cluster } from '../access.ts'
import { installOperator, release } from '../install.ts'
import type { Admission } from './admissionLoad.ts'
import { bothReady } from './replicas.ts'
import { closeSpace, eventually, openSpace, type Space, theCluster } from './support.ts'

/** Admissions a second that are asked for; a slow machine gets fewer. */
const rate = 50
/** So many are answered before and after each event, at least. */
const margin = 25

export interface Figures {
  sent: number
  /** What the API server said to those that failed. */
  failures: string[]
}

export interface Flow {
  /** Counts what is sent or answered from before `event`, if there is one, until after its end, and prints it. */
  during: (what: string, event?: () => Promise<unknown>) => Promise<Figures>
  /** Waits until some that are sent from now on have been answered. */
  some: () => Promise<void>
  /** Waits until one has failed that is sent from now on. */
  failure: () => Promise<void>
  stop: () => Promise<void>
}

const print = (what: string, during: Admission[], failures: string[]) => {
  const first = Math.min(...during.map(({ sent }) => sent))
  const seconds = (Math.max(...during.map(({ answered }) => answered)) - first) / 1000
  const slowest = Math.max(...during.map(({ sent, answered }) => answered - sent))
  const counts = `${during.length} admissions sent, ${failures.length} failed`
  console.log(
    `${what}: ${counts}; ${seconds.toFixed(0)} s, ${(during.length / seconds).toFixed(0)} a second, slowest ${slowest} ms`,
    ...new Set(failures.map((text) => `\n  ${text.split(': ').at(-1)}`)),
  )
}

/** Starts the flow; it ends with `stop`. */
const startFlow = async ({ cluster, namespace }: Space): Promise<Flow> => {
  const script = fileURLToPath(new URL('admissionLoad.ts', import.meta.url))
  const child = cluster.spawn(process.execPath, [script, namespace, String(rate)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  if (!child.stdin || !child.stdout) throw new Error('the flow of admissions has no pipes')
  const ended = once(child, 'exit')
  const seen: Admission[] = []
  createInterface({ input: child.stdout }).on('line', (line) => seen.push(JSON.parse(line) as Admission))
  const answered = async (what: string, count: number, which: (one: Admission) => boolean = () => true) => {
    const from = Date.now()
    await eventually(what, async () => {
      if (child.exitCode !== null) throw new Error(`the flow of admissions ended with ${child.exitCode}`)
      return seen.filter((one) => one.sent >= from && which(one)).length >= count
    })
  }
  const some = () => answered('admissions are answered', margin)
  return {
    during: async (what, event) => {
      const from = Date.now()
      await some()
      await event?.()
      await some()
      const during = seen.filter((one) => one.answered >= from)
      const failures = during.flatMap(({ failure }) => failure ?? [])
      print(what, during, failures)
      return { sent: during.length, failures }
    },
    some,
    failure: () => answered('an admission fails', 1, ({ failure }) => failure !== undefined),
    stop: async () => {
      child.stdin?.end()
      await ended
    },
  }
}

/**
 * Starts the flow for a beforeAll; `end`, for what it answers, puts the chart's values back. API servers wait for the
 * webhooks for as long as they may: on a busy machine a late answer is no failure, and a broken connection stays one.
 */
export const admissionsThroughout = async (
  prefix: string,
): Promise<{ place: Space; flow: Flow; end: () => Promise<void> }> => {
  const place = await openSpace(await theCluster(), prefix)
  await installOperator(place.cluster, patient)
  await bothReady(place.cluster)
  const flow = await startFlow(place)
  const end = async () => {
    await flow.stop()
    await installOperator(place.cluster)
    await bothReady(place.cluster)
    await closeSpace(place)
  }
  return { place, flow, end }
}

/** The chart's values under which the flow runs. */
export const patient = { 'webhook.timeoutSeconds': '30' }

/** What the API server counts about our webhooks. `open`: let through since a webhook gave no answer. */
export const countedByServer = async (cluster: Cluster): Promise<{ asked: number; open: number }> => {
  const lines = (await cluster.kubectl('get', '--raw', '/metrics')).split('\n')
  const sum = (metric: string) =>
    lines
      .filter((line) => line.startsWith(`apiserver_admission_webhook_${metric}{`))
      .filter((line) => line.includes('.mysqls.otus.homework"'))
      .reduce((total, line) => total + Number(line.split(' ').at(-1)), 0)
  return { asked: sum('request_total'), open: sum('fail_open_count') }
}

/** `kubectl` in the operator's own namespace. */
export const inRelease = (cluster: Cluster, ...args: string[]) => cluster.kubectl('-n', release, ...args)
