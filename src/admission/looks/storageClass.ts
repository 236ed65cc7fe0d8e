import { requestRules } from '../../api/requestRules.ts'
import { StorageClass } from '../../kube/kinds.ts'
import { answered, type Inquiry, nothing, refusal, type Seen, warning } from './inquiry.ts'

const field = 'spec.storageClassName'

/** Whether the class exists, and whether its volumes can grow. It can only be named when the MySQL is made. */
export const lookAtStorageClass = async ({ client, now, was, signal }: Inquiry): Promise<Seen> => {
  const name = now.spec.storageClassName
  if (name === undefined || name === was?.spec.storageClassName) return nothing
  const found = await answered(signal, () => client.get(StorageClass, { name }, { signal }))
  if (!found.inTime)
    return warning(
      `${field} could not be looked up; if there is no such StorageClass, the volume will wait for it`,
    )
  if (!found.value) return refusal(field, requestRules.noSuchClass)
  if (found.value.allowVolumeExpansion === true) return nothing
  return warning(`${field} names a class whose volumes can never grow: choose spec.storage_size large enough`)
}
