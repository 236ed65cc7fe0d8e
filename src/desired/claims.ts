import type { V1PersistentVolumeClaim } from '@kubernetes/client-node'
import type { MySQL } from '../api/mysql.ts'
import { type Component, names } from '../api/names.ts'
import type { Live } from '../api/resource.ts'
import { metadata } from './metadata.ts'

export type ClaimManifest = Live<V1PersistentVolumeClaim>

/** What a claim for all data of the database asks for. */
export const claimSpec = ({ storage_size, storageClassName }: MySQL['spec']) => ({
  accessModes: ['ReadWriteOnce'],
  resources: { requests: { storage: storage_size } },
  ...(storageClassName === undefined ? {} : { storageClassName }),
})

const claim = (mysql: MySQL, name: string, component: Component): ClaimManifest => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: metadata(mysql, name, component),
  spec: claimSpec(mysql.spec),
})

/** The data. It has no owner: the finalizer deletes it after the last dump, or leaves it, by `deletionPolicy`. */
export const dataClaim = (mysql: MySQL): ClaimManifest =>
  claim(mysql, names.data(mysql.metadata.name), 'database')

/** The dumps. Nobody deletes it: it outlives the MySQL and is found again by its name. */
export const backupClaim = (mysql: MySQL): ClaimManifest =>
  claim(mysql, names.backups(mysql.metadata.name), 'backup')
