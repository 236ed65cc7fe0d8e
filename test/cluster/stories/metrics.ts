import type { Cluster } from '../access.ts'
import { release } from '../install.ts'
import { replicas } from '../replicas.ts'

/** The metrics of every replica, as text. */
export const metricsOf = async (cluster: Cluster): Promise<string[]> =>
  Promise.all(
    (await replicas(cluster)).map(({ name }) =>
      cluster.kubectl('get', '--raw', `/api/v1/namespaces/${release}/pods/https:${name}:8443/proxy/metrics`),
    ),
  )

/** How many passwords all replicas together have hashed since they were started. */
export const passwordsHashed = async (cluster: Cluster): Promise<number> =>
  (await metricsOf(cluster))
    .map((text) => Number(/^mysql_operator_passwords_hashed_total (\d+)/m.exec(text)?.[1]))
    .reduce((sum, count) => sum + count)
