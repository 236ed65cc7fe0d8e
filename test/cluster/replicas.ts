/** The operator itself as tests and figures see it: its replicas, which of them leads, and how one is killed. */
import { readdirSync, readFileSync } from 'node:fs'
import type { Cluster } from './access.ts'
import { release } from './install.ts'

/** What every replica carries. */
export const selector = `app.kubernetes.io/instance=${release}`

export interface Replica {
  name: string
  uid: string
  ip: string
  ready: boolean
  /** Changes with every start of the process. */
  containerID: string
}

interface Pod {
  metadata: { name: string; uid: string; deletionTimestamp?: string }
  status: {
    podIP?: string
    conditions?: { type: string; status: string }[]
    containerStatuses?: { containerID?: string }[]
  }
}

/** Every replica that is not on its way out. */
export const replicas = async (cluster: Cluster): Promise<Replica[]> => {
  const text = await cluster.kubectl('-n', release, 'get', 'pods', '-l', selector, '-o', 'json')
  const { items } = JSON.parse(text) as { items: Pod[] }
  return items
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map(({ metadata, status }) => ({
      name: metadata.name,
      uid: metadata.uid,
      ip: status.podIP ?? '',
      ready: status.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') ?? false,
      containerID: status.containerStatuses?.[0]?.containerID ?? '',
    }))
}

/** The name in the Lease, which is new with every life of a process; undefined while nobody holds it. */
export const holder = async (cluster: Cluster): Promise<string | undefined> => {
  const path = 'jsonpath={.spec.holderIdentity}'
  return (await cluster.kubectl('-n', release, 'get', 'lease', release, '-o', path)) || undefined
}

const read = (file: string) => {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return '' // the process has ended meanwhile
  }
}

/** The operator's process in a replica, as this machine numbers it; only on a cluster of this machine. */
export const processOf = (replica: Replica): number | undefined =>
  readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && read(`/proc/${pid}/cgroup`).includes(`pod${replica.uid}/`))
    .find((pid) => !read(`/proc/${pid}/cmdline`).startsWith('/pause'))

/** SIGKILL: the process has no time to give the Lease back, or to finish what it is at. */
export const kill = (replica: Replica): void => {
  const pid = processOf(replica)
  if (pid === undefined) throw new Error(`no process of ${replica.name} on this machine`)
  process.kill(pid, 'SIGKILL')
}
