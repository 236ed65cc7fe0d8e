import { randomBytes } from 'node:crypto'
import { labels, manager } from './api/names.ts'
import type { Client } from './kube/client.ts'
import { alreadyExists } from './kube/errors.ts'
import { Secret } from './kube/kinds.ts'
import { operatorKeyBytes } from './passwords/seal.ts'

const dataKey = 'key'

const read = (secret: Secret): Buffer => {
  const key = Buffer.from(secret.data?.[dataKey] ?? '', 'base64')
  if (key.length === operatorKeyBytes) return key
  throw new Error(
    `Secret ${secret.metadata.namespace}/${secret.metadata.name} does not hold ${operatorKeyBytes} bytes under "${dataKey}": ` +
      'restore it from a backup; if it is lost for good, delete it, and see docs/passwords.md for what becomes of inline passwords',
  )
}

/**
 * The operator key, made once: whichever replica comes first creates the Secret, the others read it. Throws if the Secret
 * is there and damaged, since a new key would make every sealed password unreadable.
 */
export const operatorKey = async (client: Client, namespace: string, name: string): Promise<Buffer> => {
  const existing = await client.get(Secret, { namespace, name })
  if (existing) return read(existing)
  const key = randomBytes(operatorKeyBytes)
  try {
    await client.create(Secret, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { namespace, name, labels: { [labels.managedBy]: manager } },
      type: 'Opaque',
      immutable: true,
      data: { [dataKey]: key.toString('base64') },
    })
    return key
  } catch (error) {
    if (!alreadyExists(error)) throw error
    return operatorKey(client, namespace, name)
  }
}
