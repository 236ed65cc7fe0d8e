/** A part of the cluster that stands still for a while, as on an overloaded node; only on a cluster of this machine. */
import { readdirSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import type { Cluster } from '../access.ts'

const commandLine = (pid: number): string[] => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    return [] // it has ended meanwhile
  }
}

/** The kubelet of this cluster: others may run beside it. */
const kubelet = ({ name, stateDir }: Cluster): number => {
  const found = readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0)
    .find((pid) => {
      const [command = '', ...args] = commandLine(pid)
      return basename(command) === 'kubelet' && args.includes(`--root-dir=${stateDir}/kubelet`)
    })
  if (found === undefined) throw new Error(`no kubelet of cluster ${name} on this machine`)
  return found
}

/** Runs `task` while the kubelet neither probes, starts nor reports anything. Not for longer than half a minute. */
export const whileKubeletStops = async (cluster: Cluster, task: () => Promise<void>): Promise<void> => {
  const pid = kubelet(cluster)
  process.kill(pid, 'SIGSTOP')
  try {
    await task()
  } finally {
    process.kill(pid, 'SIGCONT')
  }
}
