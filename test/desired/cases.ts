import type { MySQL } from '../../src/api/mysql.ts'
import { names } from '../../src/api/names.ts'
import type { TypedResource } from '../../src/api/resource.ts'
import { backupClaim, dataClaim } from '../../src/desired/claims.ts'
import { configMap, scriptNames } from '../../src/desired/configMap.ts'
import { backupJob } from '../../src/desired/jobs/backup.ts'
import { passwordJob } from '../../src/desired/jobs/password.ts'
import { restoreJob } from '../../src/desired/jobs/restore.ts'
import { verifyJob } from '../../src/desired/jobs/verify.ts'
import { networkPolicy } from '../../src/desired/networkPolicy.ts'
import {
  credentialSecret,
  generatedRootSecret,
  initSecret,
  operatorSecret,
  type SecretManifest,
} from '../../src/desired/secrets.ts'
import { clientService, podsService } from '../../src/desired/services.ts'
import { statefulSet } from '../../src/desired/statefulSet.ts'
import type { Credential } from '../../src/passwords/credential.ts'
import { mysql } from '../api/fixtures.ts'

export const claimUid = '99999999-8888-7777-6666-555555555555'
/** The MySQL manual's hash of "secret". */
export const hash: Credential = {
  plugin: 'caching_sha2_password',
  literal:
    '0x244124303035240C7745603626313D613C4C10633E0A104B1E14135A544A7871567245614F4872344643546336546F624F6C7861326932752F45622F4F473273597557627139',
}
export const nativeHash: Credential = {
  plugin: 'mysql_native_password',
  literal: `*${'0123456789'.repeat(4)}`,
}

/** The resources that golden files and checks of every manifest are about. */
export const cases: Record<string, MySQL> = {
  'only what is required': mysql(),
  'everything that a pod can be given': mysql({
    metadata: { name: 'mysql-instance', namespace: 'shop' },
    spec: {
      database: 'otus-database',
      storage_size: '20Gi',
      storageClassName: 'fast',
      resources: { requests: { cpu: 1, memory: '2Gi' }, limits: { memory: '2Gi' } },
      nodeSelector: { disk: 'ssd' },
      tolerations: [{ key: 'databases', operator: 'Exists', effect: 'NoSchedule' }],
      priorityClassName: 'databases',
      imagePullPolicy: 'IfNotPresent',
      imagePullSecrets: [{ name: 'registry' }],
      restore: { from: 'mysql-instance-20260101T000000Z.sql.gz' },
    },
  }),
  'an image older than 8.0': mysql({ spec: { image: 'mysql:5.7' } }),
}

/** Every manifest of one MySQL, in the order in which the operator makes them. */
export const manifests = (of: MySQL): TypedResource[] => {
  const { name } = of.metadata
  const credential = of.spec.image === 'mysql:5.7' ? nativeHash : hash
  const root = names.credential(name, 'root', 'k7p2')
  const user = names.credential(name, 'user', 'x1c9')
  return [
    dataClaim(of),
    backupClaim(of),
    operatorSecret(of, 'a-password-of-32-letters-and-more'),
    initSecret(of, credential),
    credentialSecret(of, 'root', root, credential),
    generatedRootSecret(of, 'generated'),
    configMap(of),
    clientService(of),
    podsService(of),
    networkPolicy(of),
    statefulSet(of, { claimUid, accountUid: 'account-uid' }),
    restoreJob(of, { claimUid, root, user }),
    passwordJob(of, { claimUid, credentials: { user }, keepOld: ['user'], onlyCompare: false }),
    backupJob(of, { claimUid, cause: 'last' }),
    verifyJob(of, { dump: 'shop-20260102T030405Z.sql.gz' }),
  ]
}

/** For people: Secrets decoded, and the scripts, which are files of their own, by name only. */
export const readable = (manifest: TypedResource): TypedResource => {
  const { data = {} } = manifest as SecretManifest
  if (manifest.kind === 'Secret') {
    const decoded = Object.entries(data).map(([key, text]) => [key, Buffer.from(text, 'base64').toString()])
    return { ...manifest, data: Object.fromEntries(decoded) } as TypedResource
  }
  if (manifest.kind === 'ConfigMap') {
    const scripts = scriptNames.map((name) => [name, `src/desired/scripts/${name}`])
    return { ...manifest, data: { ...data, ...Object.fromEntries(scripts) } } as TypedResource
  }
  return manifest
}
