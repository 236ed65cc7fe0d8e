import type { MySQL } from '../../api/mysql.ts'
import { names } from '../../api/names.ts'
import { ownedMetadata } from '../metadata.ts'
import { backupPath, backupVolume } from '../volumes.ts'
import { type JobManifest, job } from './job.ts'

export interface RestoreJobInputs {
  /** uid of the data claim that the server must be running on. */
  claimUid: string
  /** Name of the Secret with root's password hash. */
  root: string
  /** Name of the Secret with the hash of the account in `spec.user`, if that is to be made. */
  user?: string | undefined
}

/**
 * Fills an empty database from a dump, or just makes database and accounts, and opens it to clients. It runs for every
 * new claim, also where there is nothing to restore: only it takes the mark away.
 */
export const restoreJob = (mysql: MySQL, { claimUid, root, user }: RestoreJobInputs): JobManifest =>
  job(mysql, {
    metadata: ownedMetadata(mysql, names.restoreJob(mysql.metadata.name), 'restore'),
    component: 'restore',
    script: 'restore',
    claimUid,
    credentials: { root, user },
    env: [
      { name: 'INSTANCE', value: mysql.metadata.name },
      { name: 'DATABASE', value: mysql.spec.database },
      { name: 'ACCOUNT', value: mysql.spec.user },
      { name: 'RESTORE_FROM', value: mysql.spec.restore?.from ?? 'latest' },
      { name: 'BACKUPS', value: backupPath(mysql) },
    ],
    mounted: [backupVolume(mysql)],
    backoffLimit: 4,
    activeDeadlineSeconds: 24 * 60 * 60,
  })
