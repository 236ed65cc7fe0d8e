/** Taking the webhook configurations away, as after a bad upgrade, and putting them back. */
import type { TypedResource } from '../../../src/api/resource.ts'
import type { Cluster } from '../access.ts'
import { release } from '../install.ts'
import { eventually, mysql } from './support.ts'

const kinds = 'mutatingwebhookconfigurations,validatingwebhookconfigurations'
const selector = `app.kubernetes.io/instance=${release}`

/** Whether an inline password is taken out before the rules of the CRD look, which only the webhook can do. */
const webhookSays = async (cluster: Cluster): Promise<'runs' | 'removed' | 'does not answer'> => {
  const probe = mysql('default', 'probe', { database: 'probe', password: 'Probe-1' })
  const { code, stderr } = await cluster.run('kubectl', ['create', '--dry-run=server', '-f', '-'], {
    input: JSON.stringify(probe),
    allowFailure: true,
  })
  if (code === 0) return 'runs'
  if (stderr.includes('the webhook did not run')) return 'removed'
  if (stderr.includes('failed calling webhook')) return 'does not answer'
  throw new Error(`the probe got another answer: ${stderr}`)
}

/** Changes an object and gives its fields back to who had them: otherwise they would be this test's, and helm could not change them any more. */
const patchAs = (cluster: Cluster, { kind, metadata }: TypedResource, ...operations: object[]) => {
  const owners = { op: 'replace', path: '/metadata/managedFields', value: metadata.managedFields }
  const body = JSON.stringify([...operations, owners])
  return cluster.kubectl('patch', kind, metadata.name, '--type=json', '-p', body)
}

const putBack = async (cluster: Cluster, item: TypedResource) => {
  const { metadata, ...rest } = item
  const { name, labels = {}, annotations = {} } = metadata
  const input = JSON.stringify({ ...rest, metadata: { name, labels, annotations } })
  await cluster.run('kubectl', ['create', '-f', '-'], { input })
  await patchAs(cluster, item)
}

/** Objects of the release, of these kinds. */
const objects = async (cluster: Cluster, kinds: string): Promise<TypedResource[]> => {
  const get = ['get', kinds, '-l', selector, '--show-managed-fields', '-o', 'json']
  return (JSON.parse(await cluster.kubectl(...get)) as { items: TypedResource[] }).items
}

/** Waits until the webhooks answer. */
export const webhooksRun = (cluster: Cluster): Promise<true> =>
  eventually('the webhook runs', async () => (await webhookSays(cluster)) === 'runs', 60)

/**
 * Leads both webhooks to a port that their Service does not have: they do not answer any more, and the operator goes on. The
 * answer puts the port back and waits; it must be called whatever happens.
 */
export const cutOffWebhooks = async (cluster: Cluster): Promise<() => Promise<void>> => {
  const items = await objects(cluster, kinds)
  const lead = async (port: number) => {
    const operation = { op: 'replace', path: '/webhooks/0/clientConfig/service/port', value: port }
    for (const item of items) await patchAs(cluster, item, operation)
  }
  const restore = async () => {
    await lead(443)
    await webhooksRun(cluster)
  }
  try {
    await lead(444)
    const silent = async () => (await webhookSays(cluster)) === 'does not answer'
    await eventually('the webhooks do not answer', silent, 60)
  } catch (error) {
    await restore()
    throw error
  }
  return restore
}

/** Deletes the policies of the chart, and answers how to put them back as they were; it must be called whatever happens. */
export const removePolicies = async (cluster: Cluster): Promise<() => Promise<void>> => {
  const bindings = 'validatingadmissionpolicybindings'
  const items = await objects(cluster, bindings)
  await cluster.kubectl('delete', bindings, '-l', selector)
  return async () => {
    for (const item of items) await putBack(cluster, item)
  }
}

/**
 * Deletes both webhook configurations and waits until the API server knows. The answer puts them back as they were and
 * waits again; it must be called whatever happens, or no later test means anything.
 */
export const removeWebhooks = async (cluster: Cluster): Promise<() => Promise<void>> => {
  const items = await objects(cluster, kinds)
  const restore = async () => {
    for (const item of items) await putBack(cluster, item)
    await webhooksRun(cluster)
  }
  try {
    await cluster.kubectl('delete', kinds, '-l', selector)
    await eventually('the webhook is gone', async () => (await webhookSays(cluster)) === 'removed', 60)
  } catch (error) {
    await restore()
    throw error
  }
  return restore
}
