import type { MySQL } from '../../src/api/mysql.ts'
import { apiVersion } from '../../src/api/names.ts'

type Changes = {
  metadata?: Partial<MySQL['metadata']>
  spec?: Partial<MySQL['spec']>
  status?: MySQL['status']
}

/** A valid MySQL as the API server stores it; a test says only what it is about. */
export const mysql = ({ metadata, spec, status }: Changes = {}): MySQL => ({
  apiVersion,
  kind: 'MySQL',
  metadata: {
    name: 'shop',
    namespace: 'team',
    uid: '11111111-2222-3333-4444-555555555555',
    generation: 1,
    resourceVersion: '100',
    creationTimestamp: '2026-01-02T03:04:05Z',
    ...metadata,
  },
  spec: {
    image: 'mysql:9.7',
    database: 'orders',
    passwordSecretRef: { name: 'shop-root', key: 'password' },
    user: 'ali',
    passwordGraceSeconds: 0,
    storage_size: '1Gi',
    suspended: false,
    deletionPolicy: 'Backup',
    deletionProtection: false,
    backup: {
      timeZone: 'UTC',
      keep: 7,
      verifyEvery: 7,
      suspended: false,
      beforeUpgrade: true,
      timeoutSeconds: 21600,
    },
    restore: { from: 'latest' },
    ...spec,
  },
  ...(status === undefined ? {} : { status }),
})
