/** The operator's processes as the machine sees them: their memory, and how long they take to start. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from '../test/cluster/access.ts'
import { waitUntil } from '../test/cluster/processes.ts'
import { kill, processOf, type Replica, replicas } from '../test/cluster/replicas.ts'

export const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`

const requireProcess = (replica: Replica): number => {
  const pid = processOf(replica)
  if (pid === undefined) throw new Error(`no process of ${replica.name} on this machine`)
  return pid
}

const resident = (replica: Replica): number => {
  const status = readFileSync(`/proc/${requireProcess(replica)}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024
}

/** RSS of every replica, largest first: the leader's. */
export const residentMemory = async (cluster: Cluster): Promise<string> =>
  (await replicas(cluster))
    .map(resident)
    .sort((a, b) => b - a)
    .map(megabytes)
    .join(' and ')

/** When a process was started, in milliseconds since the epoch, to a hundredth of a second. */
const startedAt = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The second field is the command in brackets, which may hold spaces.
  const ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
  const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0])
  return Date.now() - (uptime - ticks / 100) * 1000
}

/** Asks again and again, and prints when the first good answer after a bad one came. */
const watcher = `
const https = require('node:https')
let failed = false
const again = () => setTimeout(ask, 5)
const ask = () => https.get(
  { host: '127.0.0.1', port: 8443, path: '/readyz', rejectUnauthorized: false, agent: false, timeout: 2000 },
  (response) => {
    response.resume()
    if (response.statusCode !== 200) failed = true
    else if (failed) { console.log(Date.now()); process.exit() }
    again()
  },
).on('error', () => { failed = true; again() })
console.log('watching')
ask()`

/** Kills the process of a replica and takes the time from the next one's start to its first good /readyz. */
const startOf = async (cluster: Cluster, { name, uid }: Replica): Promise<number> => {
  const replica = (await replicas(cluster)).find((one) => one.uid === uid)
  if (!replica) throw new Error(`${name} went away`)
  const network = `--net=/proc/${requireProcess(replica)}/ns/net`
  const watch = cluster.spawn('nsenter', [network, '--', process.execPath, '-e', watcher], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (!watch.stdout) throw new Error('the watcher has no output')
  await once(watch.stdout, 'data')
  kill(replica)
  const [line] = await once(watch.stdout, 'data')
  return (Number(line) - startedAt(requireProcess(replica))) / 1000
}

/** Seconds from the start of a process until /readyz is good, four times. */
export const coldStart = async (cluster: Cluster): Promise<number[]> => {
  const both = await replicas(cluster)
  const samples: number[] = []
  for (const replica of [...both, ...both]) {
    await waitUntil('both replicas are ready', 120, async () =>
      (await replicas(cluster)).every(({ ready }) => ready),
    )
    await sleep(3_000)
    samples.push(await startOf(cluster, replica))
  }
  return samples
}
