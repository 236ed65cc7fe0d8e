/** The leader loses its Lease to somebody else, which is the end of its process: the Service has not been told before. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from '../access.ts'
import { release } from '../install.ts'
import { inRelease } from './admissions.ts'
import { leadership, type Replica, takeover } from './replicas.ts'
import { nudge } from './trust.ts'

/**
 * Takes the Lease away from the leader, and waits for `outcome` and for another leader. Until `outcome` the API server is
 * made to open new connections, where old ones would keep it from noticing anything.
 */
export const loseLease = async (
  cluster: Cluster,
  outcome: (leader: Replica) => Promise<void>,
): Promise<void> => {
  const { leader } = await leadership(cluster)
  const patch = JSON.stringify({ spec: { holderIdentity: 'a-thief', leaseDurationSeconds: 5 } })
  await inRelease(cluster, 'patch', 'lease', release, '--type=merge', '-p', patch)
  let over = false
  const end = outcome(leader).finally(() => {
    over = true
  })
  while (!over) {
    await nudge(cluster)
    await sleep(500)
  }
  await end
  await takeover(cluster, 'a-thief')
}
