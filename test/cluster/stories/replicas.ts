/** The operator's replicas, and waiting for what they do among themselves. */
import type { Cluster } from '../access.ts'
import { release } from '../install.ts'
import { holder, type Replica, replicas, selector } from '../replicas.ts'
import { eventually } from './support.ts'

export { holder, kill, type Replica, replicas } from '../replicas.ts'

/** Waits until there are two replicas, both ready, and every one before them has come to its end. */
export const settled = (cluster: Cluster): Promise<Replica[]> =>
  eventually(
    'two replicas are ready, and no other is left',
    async () => {
      const found = await bothReady(cluster)
      const all = await cluster.kubectl('-n', release, 'get', 'pods', '-l', selector, '-o', 'name')
      return all.split('\n').filter(Boolean).length === 2 && found
    },
    // One that ends waits until the API server has let go of its connections.
    180,
  )

/** Waits until there are two replicas and both are ready. */
export const bothReady = (cluster: Cluster): Promise<Replica[]> =>
  eventually('both replicas of the operator are ready', async () => {
    const found = await replicas(cluster)
    return found.length === 2 && found.every(({ ready }) => ready) && found
  })

/** Waits until two replicas are ready and one of them leads; `other` is the one that does not. */
export const leadership = (
  cluster: Cluster,
): Promise<{ leader: Replica; other: Replica; identity: string }> =>
  eventually('two replicas are ready and one of them leads', async () => {
    const identity = await holder(cluster)
    const found = (await replicas(cluster)).filter(({ ready }) => ready)
    const leader = found.find(({ name }) => identity?.startsWith(name))
    const other = found.find((one) => one !== leader)
    return found.length === 2 && identity !== undefined && leader && other && { leader, other, identity }
  })

/** Waits until somebody else than `before` holds the Lease. */
export const takeover = (cluster: Cluster, before: string): Promise<string> =>
  eventually(
    `somebody else than ${before} leads`,
    async () => {
      const now = await holder(cluster)
      return now !== before && now
    },
    60,
  )

/** Scales the operator and waits until that is so. */
export const scale = async (cluster: Cluster, count: number): Promise<void> => {
  await cluster.kubectl('-n', release, 'scale', `deployment/${release}`, `--replicas=${count}`)
  const isSo = async () => {
    const text = await cluster.kubectl('-n', release, 'get', 'pods', '-l', selector, '-o', 'name')
    return text.split('\n').filter(Boolean).length === count
  }
  // As long as above.
  await eventually(`the operator has ${count} replicas`, isSo, 180)
}
