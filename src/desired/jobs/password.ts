import type { MySQL } from '../../api/mysql.ts'
import { type Account, annotations, names } from '../../api/names.ts'
import type { Meta } from '../../api/resource.ts'
import { ownedMetadata } from '../metadata.ts'
import { type CredentialNames, type JobManifest, job } from './job.ts'

export interface PasswordJobInputs {
  /** uid of the data claim that the server must be running on. */
  claimUid: string
  /** Whose passwords, and the Secrets with their hashes. */
  credentials: CredentialNames
  /** Whose password before stays valid beside the new one; that of all others ends. */
  keepOld: readonly Account[]
  /** Changes nothing, and reports what is not as it should be. */
  onlyCompare: boolean
}

const noted = (mysql: MySQL, { keepOld, onlyCompare }: PasswordJobInputs): Meta => {
  const metadata = ownedMetadata(mysql, names.passwordJob(mysql.metadata.name), 'password-change')
  const requestedAt = mysql.metadata.annotations?.[annotations.requestedAt]
  return {
    ...metadata,
    annotations: {
      ...metadata.annotations,
      [annotations.keepsOld]: keepOld.join(),
      [annotations.onlyCompares]: onlyCompare ? 'yes' : 'no',
      ...(requestedAt === undefined ? {} : { [annotations.requestedAt]: requestedAt }),
    },
  }
}

/**
 * Puts password hashes in force; where they are already, it changes nothing but to end the passwords before them.
 */
export const passwordJob = (mysql: MySQL, inputs: PasswordJobInputs): JobManifest =>
  job(mysql, {
    metadata: noted(mysql, inputs),
    component: 'password-change',
    script: 'password',
    claimUid: inputs.claimUid,
    credentials: inputs.credentials,
    env: [
      { name: 'DATABASE', value: mysql.spec.database },
      { name: 'ACCOUNT', value: mysql.spec.user },
      { name: 'KEEP_OLD', value: inputs.keepOld.join() },
      { name: 'ONLY_COMPARE', value: inputs.onlyCompare ? 'yes' : 'no' },
    ],
    mounted: [],
    backoffLimit: 4,
    activeDeadlineSeconds: 60 * 60,
  })
