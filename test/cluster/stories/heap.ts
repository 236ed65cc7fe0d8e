/** What the operator's process still holds in its heap. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Cluster } from '../access.ts'
import { processOf, type Replica, replicas } from '../replicas.ts'
import type { Content } from './survey.ts'

const client = fileURLToPath(new URL('./heapClient.ts', import.meta.url))

/**
 * A heap snapshot of a replica, taken over the inspector that SIGUSR1 starts inside of its pod. It begins with a garbage
 * collection, so it shows what is held on to. `control` is put into the heap before.
 */
const snapshot = async (cluster: Cluster, replica: Replica, control: string): Promise<Buffer> => {
  const pid = processOf(replica)
  if (pid === undefined) throw new Error(`no process of ${replica.name} on this machine`)
  const folder = mkdtempSync(join(tmpdir(), 'mysql-operator-heap-'))
  const file = join(folder, 'snapshot')
  try {
    process.kill(pid, 'SIGUSR1')
    const args = [`--net=/proc/${pid}/ns/net`, '--', process.execPath, client, file]
    await cluster.run('nsenter', args, { input: control })
    return readFileSync(file)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The heaps of all replicas: one of them hashed, one reconciled. */
export async function* heaps(cluster: Cluster, control: string): AsyncGenerator<Content> {
  for (const replica of await replicas(cluster))
    yield { kind: 'heap snapshot', bytes: await snapshot(cluster, replica, control) }
}
