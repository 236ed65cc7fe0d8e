import { fileURLToPath } from 'node:url'
import type { Cluster } from './access.ts'
import { operatorImage, sourcesHash } from './operatorimage.ts'

/** Release, namespace and Service of the operator in demo and tests. */
export const release = 'mysql-operator'

/** The folder of the chart. */
export const chart = fileURLToPath(new URL('../../charts/mysql-operator', import.meta.url))

/** A namespace that enforces Pod Security `restricted`, as the operator's and the databases' should. */
export const restrictedNamespace = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
})

/**
 * `helm upgrade --install`, and waits until every replica is ready. `values` are given as `--set KEY=VALUE`; `from` is the
 * chart's folder.
 */
export const installOperator = async (
  cluster: Cluster,
  values: Record<string, string> = {},
  from = chart,
): Promise<void> => {
  await cluster.apply(restrictedNamespace(release))
  const colon = operatorImage.lastIndexOf(':')
  const image = {
    'image.repository': operatorImage.slice(0, colon),
    'image.tag': operatorImage.slice(colon + 1),
    // The image is in the node's store and nowhere else.
    'image.pullPolicy': 'IfNotPresent',
    // Its tag stays the same when it is built anew, so a cluster that was kept would go on with the old one.
    'podAnnotations.sources': `hash-${sourcesHash().slice(0, 16)}`,
  }
  const set = Object.entries({ ...image, ...values }).flatMap(([key, value]) => ['--set', `${key}=${value}`])
  const args = ['upgrade', '--install', release, from, '--namespace', release, '--wait', '--timeout', '3m']
  await cluster.run('helm', [...args, ...set])
}
