import { apiVersion } from './names.ts'
import type { Meta } from './resource.ts'
import type { MySQLSpec, MySQLStatus } from './schema.ts'

/** The custom resource as the API server stores it. */
export interface MySQL {
  apiVersion: string
  kind: string
  metadata: Meta
  spec: MySQLSpec
  status?: MySQLStatus
}

export const mysqlKind = 'MySQL'

/** The plain name for logs and queue keys. */
export const keyOf = (object: { metadata: Meta }) => `${object.metadata.namespace}/${object.metadata.name}`

/** `namespace/name` taken apart again. */
export const fromKey = (key: string) => {
  const slash = key.indexOf('/')
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}

/** A reference to `mysql` for Events and owner references. */
export const referenceTo = (mysql: MySQL) => ({
  apiVersion,
  kind: mysqlKind,
  name: mysql.metadata.name,
  uid: mysql.metadata.uid ?? '',
})
