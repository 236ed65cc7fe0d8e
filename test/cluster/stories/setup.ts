import type { TestProject } from 'vitest/node'
import { type Cluster, down, up } from '../cluster.ts'
import { installOperator } from '../install.ts'
import { mysql80Archive } from '../mysql80image.ts'
import { progressLog } from '../progress.ts'
import { storyClusters } from './clusters.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    cluster: { names: string[]; context?: string }
  }
}

/**
 * Brings up the clusters for the stories and installs the operator in each. `CLUSTER_NAME` is the name of a single one,
 * `CLUSTER_CONTEXT` an existing kube context instead; with `CLUSTER_KEEP` set they stay up afterwards, for a look or a
 * faster next run.
 */
export const setup = async (project: TestProject) => {
  const log = progressLog()
  const names = storyClusters(process.env)
  const context = process.env.CLUSTER_CONTEXT
  const target = (name: string) => ({ name, log, ...(context === undefined ? {} : { context }) })
  // Tests of two projects need it. Made beside everything else; if that fails, theirs is the failure that says why.
  const older = context === undefined ? mysql80Archive(log).catch(() => undefined) : undefined
  const clusters: Cluster[] = []
  // One after the other: the first makes what all of them need.
  for (const name of names) clusters.push(await up(target(name)))
  await older
  log('installing the operator')
  await Promise.all(clusters.map((cluster) => installOperator(cluster)))
  log('the operator is ready')
  project.provide('cluster', { names, ...(context === undefined ? {} : { context }) })
  return async () => {
    if (!process.env.CLUSTER_KEEP) for (const name of names) await down(target(name))
  }
}
