import type { TestProject } from 'vitest/node'
import { down, up } from '../cluster.ts'
import { installOperator } from '../install.ts'
import { mysql80Archive } from '../mysql80image.ts'
import { progressLog } from '../progress.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    cluster: { name: string; context?: string }
  }
}

/**
 * Brings up a cluster for the stories and installs the operator. `CLUSTER_NAME` is its name, `CLUSTER_CONTEXT` an existing
 * kube context instead; with `CLUSTER_KEEP` set it stays up afterwards, for a look or a faster next run.
 */
export const setup = async (project: TestProject) => {
  const log = progressLog()
  const name = process.env.CLUSTER_NAME ?? 'test'
  const context = process.env.CLUSTER_CONTEXT
  const target = { name, log, ...(context === undefined ? {} : { context }) }
  // Tests of two projects need it. Made beside everything else; if that fails, theirs is the failure that says why.
  const older = context === undefined ? mysql80Archive(log).catch(() => undefined) : undefined
  const cluster = await up(target)
  await older
  log('installing the operator')
  await installOperator(cluster)
  log('the operator is ready')
  project.provide('cluster', { name, ...(context === undefined ? {} : { context }) })
  return async () => {
    if (!process.env.CLUSTER_KEEP) await down(target)
  }
}
