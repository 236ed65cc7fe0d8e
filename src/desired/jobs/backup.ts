import type { MySQL } from '../../api/mysql.ts'
import { names } from '../../api/names.ts'
import { metadata } from '../metadata.ts'
import { backupPath, backupVolume } from '../volumes.ts'
import { type JobManifest, job } from './job.ts'

export interface BackupJobInputs {
  /** uid of the data claim that the server must be running on. */
  claimUid: string
}

/** Writes a dump into the backup claim. It has no owner: a foreground deletion would take it before it has begun. */
export const backupJob = (mysql: MySQL, { claimUid }: BackupJobInputs): JobManifest =>
  job(mysql, {
    metadata: metadata(mysql, names.backupJob(mysql.metadata.name), 'backup'),
    component: 'backup',
    script: 'backup',
    claimUid,
    env: [
      { name: 'INSTANCE', value: mysql.metadata.name },
      { name: 'ACCOUNT', value: mysql.spec.user },
      { name: 'OWNER_UID', value: mysql.metadata.uid ?? '' },
      { name: 'BACKUPS', value: backupPath(mysql) },
      // Names what is not finished yet, so that the leftovers of a dead pod are known for what they are.
      { name: 'POD_UID', valueFrom: { fieldRef: { fieldPath: 'metadata.uid' } } },
    ],
    mounted: [backupVolume(mysql)],
    backoffLimit: 2,
    activeDeadlineSeconds: 6 * 60 * 60,
  })
