import type { V1Service } from '@kubernetes/client-node'
import type { MySQL } from '../api/mysql.ts'
import { names } from '../api/names.ts'
import type { Live } from '../api/resource.ts'
import { databaseSelector, metadata } from './metadata.ts'

export type ServiceManifest = Live<V1Service>

/** The container port, and the only port that anybody may reach. */
export const mysqlPort = { name: 'mysql', number: 3306 } as const

const ports = [{ name: mysqlPort.name, port: mysqlPort.number, targetPort: mysqlPort.name, protocol: 'TCP' }]

/** What clients connect to. It leads to ready pods only, so never to a database that is still being restored. */
export const clientService = (mysql: MySQL): ServiceManifest => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: metadata(mysql, names.service(mysql.metadata.name), 'database'),
  spec: { type: 'ClusterIP', selector: databaseSelector(mysql), ports },
})

/** Gives each pod a name of its own, also before it is ready: the Jobs work on exactly one server. */
export const podsService = (mysql: MySQL): ServiceManifest => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: metadata(mysql, names.pods(mysql.metadata.name), 'database'),
  spec: {
    type: 'ClusterIP',
    clusterIP: 'None',
    publishNotReadyAddresses: true,
    selector: databaseSelector(mysql),
    ports,
  },
})

/** Where the Jobs find member 0; the namespace is that of the pod that asks. */
export const podHost = (mysql: MySQL) =>
  `${names.pod(mysql.metadata.name)}.${names.pods(mysql.metadata.name)}`
