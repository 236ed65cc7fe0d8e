/** Taking the webhook configurations away, as after a bad upgrade, and putting them back. */
import type { TypedResource } from '../../../src/api/resource.ts'
import type { Cluster } from '../access.ts'
import { release } from '../install.ts'
import { eventually, mysql } from './support.ts'

const kinds = 'mutatingwebhookconfigurations,validatingwebhookconfigurations'

/** True if an inline password is taken out before the rules of the CRD look, which only the webhook can do. */
const webhookRuns = async (cluster: Cluster): Promise<boolean> => {
  const probe = mysql('default', 'probe', { database: 'probe', password: 'Probe-1' })
  const { code, stderr } = await cluster.run('kubectl', ['create', '--dry-run=server', '-f', '-'], {
    input: JSON.stringify(probe),
    allowFailure: true,
  })
  if (code === 0) return true
  if (stderr.includes('the webhook did not run')) return false
  throw new Error(`the probe got another answer: ${stderr}`)
}

const putBack = async (cluster: Cluster, { metadata, ...rest }: TypedResource) => {
  const { name, labels = {}, annotations = {} } = metadata
  const input = JSON.stringify({ ...rest, metadata: { name, labels, annotations } })
  await cluster.run('kubectl', ['create', '-f', '-'], { input })
  // Otherwise its fields would belong to this test, and helm could not change them any more.
  const owners = [{ op: 'replace', path: '/metadata/managedFields', value: metadata.managedFields }]
  await cluster.kubectl('patch', rest.kind, name, '--type=json', '-p', JSON.stringify(owners))
}

/**
 * Deletes both webhook configurations and waits until the API server knows. The answer puts them back as they were and
 * waits again; it must be called whatever happens, or no later test means anything.
 */
export const removeWebhooks = async (cluster: Cluster): Promise<() => Promise<void>> => {
  const selector = `app.kubernetes.io/instance=${release}`
  const get = ['get', kinds, '-l', selector, '--show-managed-fields', '-o', 'json']
  const { items } = JSON.parse(await cluster.kubectl(...get)) as { items: TypedResource[] }
  const restore = async () => {
    for (const item of items) await putBack(cluster, item)
    await eventually('the webhook runs again', () => webhookRuns(cluster), 60)
  }
  try {
    await cluster.kubectl('delete', kinds, '-l', selector)
    await eventually('the webhook is gone', async () => !(await webhookRuns(cluster)), 60)
  } catch (error) {
    await restore()
    throw error
  }
  return restore
}
