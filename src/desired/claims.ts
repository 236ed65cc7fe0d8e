import type { V1PersistentVolumeClaim } from '@kubernetes/client-node'
import type { MySQL } from '../api/mysql.ts'
import { type Component, names } from '../api/names.ts'
import type { Live } from '../api/resource.ts'
import { metadata } from './metadata.ts'

export type ClaimManifest = Live<V1PersistentVolumeClaim>

const claim = (mysql: MySQL, name: string, component: Component): ClaimManifest => {
  const { storage_size, storageClassName } = mysql.spec
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: metadata(mysql, name, component),
    spec: {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: storage_size } },
      ...(storageClassName === undefined ? {} : { storageClassName }),
    },
  }
}

/** The data. It has no owner: the finalizer deletes it after the last dump, or leaves it, by `deletionPolicy`. */
export const dataClaim = (mysql: MySQL): ClaimManifest =>
  claim(mysql, names.data(mysql.metadata.name), 'database')

/** The dumps. Nobody deletes it: it outlives the MySQL and is found again by its name. */
export const backupClaim = (mysql: MySQL): ClaimManifest =>
  claim(mysql, names.backups(mysql.metadata.name), 'backup')
