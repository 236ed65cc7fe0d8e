import type { MySQL } from '../../api/mysql.ts'
import { annotations, names } from '../../api/names.ts'
import { ownedMetadata } from '../metadata.ts'
import { backupPath, backupVolume, runVolume, throwAwayVolume } from '../volumes.ts'
import { type JobManifest, job } from './job.ts'

export interface VerifyJobInputs {
  /** File name of the dump, or `latest` for the newest one that was finished, good or bad. */
  dump: string
}

/** The script's exit code for a dump that is bad; any other failure says nothing about the dump. */
const bad = 3

/** Of a small mysqld that has the client, gzip and the file cache beside it, whatever the size of the dump. */
const resources = {
  requests: { cpu: '50m', memory: '384Mi' },
  limits: { cpu: '1', memory: '1Gi' },
}

/**
 * Loads a dump into a throw-away server of the Job's own and looks whether all of it is there. It writes to the backup
 * claim, where it marks a bad dump, and has no password and no way to the database.
 */
export const verifyJob = (mysql: MySQL, { dump }: VerifyJobInputs): JobManifest => {
  const own = ownedMetadata(mysql, names.verifyJob(mysql.metadata.name), 'verify')
  return job(mysql, {
    metadata: { ...own, annotations: { ...own.annotations, [annotations.verifies]: dump } },
    component: 'verify',
    script: 'verify',
    env: [
      { name: 'INSTANCE', value: mysql.metadata.name },
      { name: 'DUMP', value: dump },
      { name: 'BACKUPS', value: backupPath(mysql) },
    ],
    mounted: [backupVolume(mysql), throwAwayVolume(mysql), runVolume()],
    resources,
    backoffLimit: 2,
    finalExitCode: bad,
    activeDeadlineSeconds: mysql.spec.backup.timeoutSeconds,
  })
}
