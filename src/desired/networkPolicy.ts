import type { V1NetworkPolicy } from '@kubernetes/client-node'
import type { MySQL } from '../api/mysql.ts'
import { names } from '../api/names.ts'
import type { Live } from '../api/resource.ts'
import { databaseSelector, ownedMetadata } from './metadata.ts'
import { mysqlPort } from './services.ts'

export type NetworkPolicyManifest = Live<V1NetworkPolicy>

/** The server is reached on its one port and reaches nothing itself: an intruder in it finds no way out. */
export const networkPolicy = (mysql: MySQL): NetworkPolicyManifest => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: ownedMetadata(mysql, names.networkPolicy(mysql.metadata.name), 'database'),
  spec: {
    podSelector: { matchLabels: databaseSelector(mysql) },
    policyTypes: ['Ingress', 'Egress'],
    ingress: [{ ports: [{ port: mysqlPort.number, protocol: 'TCP' }] }],
    egress: [],
  },
})
