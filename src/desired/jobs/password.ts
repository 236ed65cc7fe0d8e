import type { MySQL } from '../../api/mysql.ts'
import { names } from '../../api/names.ts'
import { ownedMetadata } from '../metadata.ts'
import { type CredentialNames, type JobManifest, job } from './job.ts'

export interface PasswordJobInputs {
  /** uid of the data claim that the server must be running on. */
  claimUid: string
  /** Whose passwords, and the Secrets with their hashes. */
  credentials: CredentialNames
}

/** Puts password hashes in force; where they are already, it changes nothing. */
export const passwordJob = (mysql: MySQL, { claimUid, credentials }: PasswordJobInputs): JobManifest =>
  job(mysql, {
    metadata: ownedMetadata(mysql, names.passwordJob(mysql.metadata.name), 'password-change'),
    component: 'password-change',
    script: 'password',
    claimUid,
    credentials,
    env: [
      { name: 'DATABASE', value: mysql.spec.database },
      { name: 'ACCOUNT', value: mysql.spec.user },
    ],
    mounted: [],
    backoffLimit: 4,
    activeDeadlineSeconds: 60 * 60,
  })
