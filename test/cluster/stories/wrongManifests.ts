/** Manifests that must be refused, each with the words that its author gets to see. */
import { backups, databases, pods, volumes, type Wrong } from './wrongFields.ts'

/** The MySQL that updates are tried on. */
export const storedSpec = {
  database: 'shop',
  passwordSecretRef: { name: 'mine', key: 'password' },
  // No node has it: the resource is stored, and no server is started for it.
  nodeSelector: { 'example.com/nowhere': 'true' },
}

const reference = 'kubectl get secrets'

const names: Record<string, Wrong> = {
  'a name whose Jobs would have names that are too long': {
    name: 'x'.repeat(41),
    field: 'metadata.name',
    says: ['longer than 40 characters', 'shorter'],
  },
  'a name with a capital letter': {
    name: 'Shop',
    field: 'metadata.name',
    says: ['a Service can carry', 'begin with a letter'],
  },
  'a name that begins with a digit': {
    name: '1shop',
    field: 'metadata.name',
    says: ['a Service can carry', 'begin with a letter'],
  },
  'a name with a dot': {
    name: 'my.shop',
    field: 'metadata.name',
    says: ['a Service can carry', 'begin with a letter'],
  },
  'a name like that of a claim with backups': {
    name: 'backup-shop',
    field: 'metadata.name',
    says: ['another database', 'without that beginning'],
  },
  'a name like that of a Service for Jobs': {
    name: 'shop-pods',
    field: 'metadata.name',
    says: ['another database', 'without that beginning'],
  },
}

const passwords: Record<string, Wrong> = {
  'a password of 257 bytes': {
    spec: { password: 'x'.repeat(257) },
    field: 'spec.password',
    says: ['longer than 256 bytes', 'shorter'],
  },
  'a password of 86 letters in 258 bytes': {
    spec: { user_password: '\u20ac'.repeat(86) },
    field: 'spec.user_password',
    says: ['longer than 256 bytes', 'shorter'],
  },
  'an empty password': { spec: { password: '' }, field: 'spec.password', says: ['empty', 'give one'] },
  'a password that is a number': {
    spec: { password: 123456 },
    field: 'spec.password',
    says: ['not a text', 'quotes'],
  },
  'a password with a NUL': { spec: { password: 'a\0b' }, field: 'spec.password', says: ['NUL', 'remove'] },
  'both forms of the password of root': {
    spec: { password: 'Secret-1', passwordSecretRef: { name: 'mine' } },
    field: 'spec.password',
    says: ['spec.passwordSecretRef: is set together with spec.password', 'remove one'],
  },
  'both forms of the password of the account': {
    spec: { user_password: 'Secret-1', userPasswordSecretRef: { name: 'mine' } },
    field: 'spec.user_password',
    says: ['spec.userPasswordSecretRef: is set together with spec.user_password', 'remove one'],
  },
  'a grace period of more than a week': {
    spec: { passwordGraceSeconds: 604_801 },
    field: 'spec.passwordGraceSeconds',
    says: ['604800', 'up to 7 days'],
  },
  'a Secret of another namespace': {
    spec: { passwordSecretRef: { name: 'mine', namespace: 'kube-system' } },
    field: 'spec.passwordSecretRef.namespace',
    says: ['Secret of another namespace cannot be used', 'leave `namespace` out'],
  },
  'a Secret of the same namespace that names it': {
    spec: { userPasswordSecretRef: { name: 'mine', namespace: 'default' } },
    field: 'spec.userPasswordSecretRef.namespace',
    says: ['Secret of another namespace cannot be used', 'leave `namespace` out'],
  },
  'a reference without a name': {
    spec: { passwordSecretRef: { key: 'password' } },
    field: 'spec.passwordSecretRef.name',
    says: ['required', 'same namespace'],
  },
  'a Secret with a path for a name': {
    spec: { passwordSecretRef: { name: '../kube-system/admin' } },
    field: 'spec.passwordSecretRef.name',
    says: ['not the name of a Secret', reference],
  },
  'a key that is a path': {
    spec: { userPasswordSecretRef: { name: 'mine', key: '../password' } },
    field: 'spec.userPasswordSecretRef.key',
    says: ['not a key', 'use letters'],
  },
}

const changes: Record<string, Wrong> = {
  'another database': {
    spec: { database: 'other' },
    field: 'spec.database',
    says: ['cannot be changed', 'put the old name back'],
  },
  'another account': {
    spec: { user: 'bob' },
    field: 'spec.user',
    says: ['cannot be changed', 'put the old name back'],
  },
  'a StorageClass that comes later': {
    spec: { storageClassName: 'standard' },
    field: 'spec.storageClassName',
    says: ['cannot be changed', 'make it again'],
  },
  'another dump to restore from': {
    spec: { restore: { from: 'none' } },
    field: 'spec.restore',
    says: ['cannot be changed', 'put the old value back'],
  },
  'a shrinking volume': {
    spec: { storage_size: '1023Mi' },
    field: 'spec.storage_size',
    says: ['smaller than before', 'put the old size back'],
  },
  'an older image': {
    spec: { image: 'mysql:8.4' },
    field: 'spec.image',
    says: ['older than the image before', 'put the newer image back'],
    alone: false,
  },
}

/** Everything above; updates are marked as such. */
export const wrongManifests: [what: string, wrong: Wrong][] = [
  ...Object.entries({ ...databases, ...names, ...passwords, ...volumes, ...backups, ...pods }),
  ...Object.entries(changes).map(([what, wrong]): [string, Wrong] => [what, { ...wrong, update: true }]),
]
