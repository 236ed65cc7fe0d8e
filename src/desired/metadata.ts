import { type MySQL, referenceTo } from '../api/mysql.ts'
import { annotations, type Component, labels, manager } from '../api/names.ts'
import type { Meta } from '../api/resource.ts'

/** The labels that say whose object it is and what for. */
export const labelsOf = (mysql: MySQL, component: Component): Record<string, string> => ({
  [labels.app]: mysql.metadata.name,
  [labels.name]: 'mysql',
  [labels.instance]: mysql.metadata.name,
  [labels.component]: component,
  [labels.managedBy]: manager,
})

/**
 * What selects the database's pods, and no Job's. A StatefulSet can never change its selector, so nothing may be
 * added here.
 */
export const databaseSelector = (mysql: MySQL): Record<string, string> => ({
  [labels.app]: mysql.metadata.name,
  [labels.instance]: mysql.metadata.name,
  [labels.component]: 'database',
})

/**
 * The labels of a Job's pods. They lack `app`: a Service that people made themselves with `app: <name>` would send
 * clients to a Job.
 */
export const jobPodLabels = (mysql: MySQL, component: Component): Record<string, string> => {
  const { [labels.app]: _, ...rest } = labelsOf(mysql, component)
  return rest
}

/** Which MySQL an object was made for: a name can be used again, its uid cannot. */
export const annotationsOf = (mysql: MySQL): Record<string, string> => ({
  [annotations.ownerUid]: mysql.metadata.uid ?? '',
})

/** Metadata of an object that the finalizer deletes, or nobody: it has no owner reference. */
export const metadata = (mysql: MySQL, name: string, component: Component): Meta => ({
  name,
  ...(mysql.metadata.namespace === undefined ? {} : { namespace: mysql.metadata.namespace }),
  labels: labelsOf(mysql, component),
  annotations: annotationsOf(mysql),
})

/**
 * Metadata of an object that goes with the MySQL by itself. Nothing that the last dump needs may have it: a foreground
 * deletion removes dependents before the finalizer has run. `blockOwnerDeletion` would need the right to set finalizers.
 */
export const ownedMetadata = (mysql: MySQL, name: string, component: Component): Meta => ({
  ...metadata(mysql, name, component),
  ownerReferences: [{ ...referenceTo(mysql), controller: true, blockOwnerDeletion: false }],
})
