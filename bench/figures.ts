/**
 * What the operator costs and how fast it is, on a cluster of this machine where it is installed:
 *
 *   CLUSTER_NAME=demo node bench/figures.ts [--runs 5] [--instances 10] [--idle-minutes 10]
 *
 * Prints a table. Times are wall-clock seconds seen through kubectl; image pulls are not in them, since the images are on
 * the node. Leaves nothing behind.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type Cluster, localCluster } from '../test/cluster/access.ts'
import { restrictedNamespace } from '../test/cluster/install.ts'
import { operatorImage } from '../test/cluster/operatorimage.ts'
import { progressLog } from '../test/cluster/progress.ts'
import { auditMark, countRequests, requestsSince } from '../test/cluster/stories/audit.ts'
import { coldStart, megabytes, residentMemory } from './operatorProcess.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    instances: { type: 'string', default: '10' },
    'idle-minutes': { type: 'string', default: '10' },
  },
})
const [runs, instances, idleMinutes] = [values.runs, values.instances, values['idle-minutes']].map(Number)
const log = progressLog()
const rows: [string, string][] = []
const row = (what: string, figure: string) => {
  rows.push([what, figure])
  log(`${what}: ${figure}`)
}

const seconds = async (work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1000
}

/** Median and extremes: `9.8 s (9.1 to 12.4, 5 runs)`. */
const spread = (samples: number[]): string => {
  const sorted = samples.toSorted((a, b) => a - b)
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0
  const [least, most] = [sorted[0] ?? 0, sorted.at(-1) ?? 0]
  return `${median.toFixed(1)} s (${least.toFixed(1)} to ${most.toFixed(1)}, ${sorted.length} runs)`
}

const manifest = (namespace: string, name: string) => ({
  apiVersion: 'otus.homework/v1',
  kind: 'MySQL',
  metadata: { name, namespace },
  spec: {
    database: 'figures',
    password: randomBytes(9).toString('hex'),
    user_password: randomBytes(9).toString('hex'),
  },
})

const makeAndRemove = async (cluster: Cluster, namespace: string) => {
  const kubectl = (...args: string[]) => cluster.kubectl('-n', namespace, ...args)
  const [made, removed]: [number[], number[]] = [[], []]
  for (let run = 1; run <= (runs ?? 5); run++) {
    const name = `run-${run}`
    made.push(
      await seconds(async () => {
        await cluster.apply(manifest(namespace, name))
        await kubectl('wait', 'mysql', name, '--for=condition=Ready', '--timeout=300s')
      }),
    )
    removed.push(await seconds(() => kubectl('delete', 'mysql', name, '--timeout=300s')))
    log(`run ${run}: ${made.at(-1)?.toFixed(1)} s and ${removed.at(-1)?.toFixed(1)} s`)
  }
  row('apply until Ready', spread(made))
  row('delete until gone, last dump included', spread(removed))
}

const counted = (entries: [string, number][]) =>
  `${entries.reduce((sum, [, count]) => sum + count, 0)}: ${entries.map(([what, count]) => `${count} ${what}`).join(', ')}`

const requestsOfOneCreate = async (cluster: Cluster, namespace: string) => {
  const mark = auditMark(cluster)
  await cluster.apply(manifest(namespace, 'counted'))
  await cluster.kubectl('-n', namespace, 'wait', 'mysql/counted', '--for=condition=Ready', '--timeout=300s')
  // What follows Ready (the last status, an event) belongs to it.
  await sleep(10_000)
  const own = requestsSince(cluster, mark).filter(({ objectRef }) => objectRef?.namespace === namespace)
  row('API requests of one create', counted(countRequests(own)))
}

const manyInstances = async (cluster: Cluster, namespace: string) => {
  const names = Array.from({ length: instances ?? 10 }, (_, i) => `many-${i}`)
  const took = await seconds(async () => {
    await cluster.apply(names.map((name) => manifest(namespace, name)))
    const all = names.map((name) => `mysql/${name}`)
    const wait = ['-n', namespace, 'wait', ...all, '--for=condition=Ready', '--timeout=900s']
    await cluster.kubectl(...wait)
  })
  row(`apply of ${names.length} at once until all are Ready`, `${took.toFixed(1)} s`)
  await sleep(15_000)
}

const idle = async (cluster: Cluster) => {
  const mark = auditMark(cluster)
  await sleep((idleMinutes ?? 10) * 60_000)
  const what = `API requests in ${idleMinutes} idle minutes, both replicas`
  row(what, counted(countRequests(requestsSince(cluster, mark))))
}

const imageSize = async (cluster: Cluster) => {
  const { items } = JSON.parse(await cluster.kubectl('get', 'nodes', '-o', 'json')) as {
    items: { status: { images: { names: string[] | null; sizeBytes: number }[] } }[]
  }
  // An image that was replaced has no name any more; the kubelet tells of a new one within minutes.
  const image = items[0]?.status.images.find(({ names }) => names?.includes(operatorImage))
  row('image, not compressed', image ? megabytes(image.sizeBytes) : 'not known yet')
}

const main = async () => {
  const name = process.env.CLUSTER_NAME ?? 'demo'
  const cluster = localCluster(name)
  if (!cluster) throw new Error(`cluster ${name} is not up: npm run cluster -- up --name ${name}`)
  const others = await cluster.kubectl('get', 'mysql', '-A', '-o', 'name')
  if (others !== '') throw new Error('there are MySQLs already, which would be counted: delete them first')
  const namespace = `figures-${randomBytes(3).toString('hex')}`
  await cluster.apply(restrictedNamespace(namespace))
  try {
    await imageSize(cluster)
    row('memory (RSS) of leader and other replica, no instance', await residentMemory(cluster))
    await makeAndRemove(cluster, namespace)
    await requestsOfOneCreate(cluster, namespace)
    await cluster.kubectl('-n', namespace, 'delete', 'mysql', 'counted')
    await manyInstances(cluster, namespace)
    row(`memory (RSS) of leader and other replica, ${instances} instances`, await residentMemory(cluster))
    await idle(cluster)
    row(`start of the process until /readyz, ${instances} instances`, spread(await coldStart(cluster)))
  } finally {
    await cluster.kubectl('delete', 'namespace', namespace)
  }
  const width = Math.max(...rows.map(([what]) => what.length))
  console.log(rows.map(([what, figure]) => `${what.padEnd(width)}  ${figure}`).join('\n'))
}

await main()
