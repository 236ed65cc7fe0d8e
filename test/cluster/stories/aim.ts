import { readdirSync, readFileSync } from 'node:fs'
import type { Space } from './support.ts'

const read = (file: string) => {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return '' // the process has ended meanwhile
  }
}

/**
 * Takes aim at the server; the answer kills it with a signal that leaves it no time for anything. On a cluster of this
 * machine that is SIGKILL from outside; elsewhere SIGSEGV, since process 1 of a container hears no SIGKILL from within.
 */
export const aimAt = async (place: Space, name: string): Promise<() => Promise<unknown>> => {
  const uid = await place.kubectl('get', 'pod', `${name}-0`, '-o', 'jsonpath={.metadata.uid}')
  if (place.cluster.stateDir === undefined) {
    return () => place.kubectl('exec', `${name}-0`, '-c', 'mysql', '--', 'bash', '-c', 'kill -SEGV 1')
  }
  const server = readdirSync('/proc').find(
    (pid) => read(`/proc/${pid}/comm`) === 'mysqld\n' && read(`/proc/${pid}/cgroup`).includes(`pod${uid}`),
  )
  if (server === undefined) throw new Error(`no mysqld of ${name}-0 on this machine`)
  return async () => process.kill(Number(server), 'SIGKILL')
}
