import type { MySQL } from '../../api/mysql.ts'
import { annotations, names } from '../../api/names.ts'
import { metadata } from '../metadata.ts'
import { backupPath, backupVolume } from '../volumes.ts'
import { type JobManifest, job } from './job.ts'

/** What a dump of a living server is made for; all at once, where several are due. */
export interface BackupCause {
  /** The time of the schedule. */
  scheduledFor?: string | undefined
  /** The request of a person, in the words of the annotation. */
  requestedBy?: string | undefined
  /** The image that the server gets afterwards. */
  beforeUpgradeTo?: string | undefined
}

export interface BackupJobInputs {
  /** uid of the data claim that the server must be running on. */
  claimUid: string
  /** `last`: the server goes afterwards, so it takes no writes from the start of the dump on. */
  cause: BackupCause | 'last'
}

const marks = (cause: BackupJobInputs['cause']): Record<string, string> => {
  if (cause === 'last') return { [annotations.lastDump]: 'true' }
  const { scheduledFor, requestedBy, beforeUpgradeTo } = cause
  return {
    ...(scheduledFor === undefined ? {} : { [annotations.scheduledFor]: scheduledFor }),
    ...(requestedBy === undefined ? {} : { [annotations.requestedBy]: requestedBy }),
    ...(beforeUpgradeTo === undefined ? {} : { [annotations.beforeUpgradeTo]: beforeUpgradeTo }),
  }
}

/** Writes a dump into the backup claim. It has no owner: a foreground deletion would take it before it has begun. */
export const backupJob = (mysql: MySQL, { claimUid, cause }: BackupJobInputs): JobManifest => {
  const own = metadata(mysql, names.backupJob(mysql.metadata.name), 'backup')
  return job(mysql, {
    metadata: { ...own, annotations: { ...own.annotations, ...marks(cause) } },
    component: 'backup',
    script: 'backup',
    claimUid,
    env: [
      { name: 'INSTANCE', value: mysql.metadata.name },
      { name: 'ACCOUNT', value: mysql.spec.user },
      { name: 'OWNER_UID', value: mysql.metadata.uid ?? '' },
      { name: 'BACKUPS', value: backupPath(mysql) },
      { name: 'LAST_DUMP', value: cause === 'last' ? 'yes' : 'no' },
      { name: 'KEEP', value: String(mysql.spec.backup.keep) },
      // Names what is not finished yet, so that the leftovers of a dead pod are known for what they are.
      { name: 'POD_UID', valueFrom: { fieldRef: { fieldPath: 'metadata.uid' } } },
    ],
    mounted: [backupVolume(mysql)],
    backoffLimit: 2,
    activeDeadlineSeconds: mysql.spec.backup.timeoutSeconds,
  })
}
