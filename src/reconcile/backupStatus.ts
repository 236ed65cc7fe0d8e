/** What the status says of dumps, the last one included: pure. The condition follows the latest run that has ended. */
import { type Finding, finding } from '../api/conditions.ts'
import { names } from '../api/names.ts'
import type { MySQLStatus } from '../api/schema.ts'
import { type BackupResult, backupResult } from '../desired/results.ts'
import { begunDump, isNoted, nextDump, ownDump } from './decideBackup.ts'
import { isUnread, type JobFact, jobProblem } from './jobs.ts'
import type { Observed } from './observe.ts'
import { isFoundBad, withVerification } from './verifyStatus.ts'

type BackupStatus = NonNullable<MySQLStatus['backup']>
type MadeDump = BackupResult & { file: string }
type Outcome = { made: MadeDump } | { failed: string }

/** There is a file, and not only a Job that found nothing to dump. */
export const isMade = (result: BackupResult | undefined): result is MadeDump =>
  result !== undefined && result.file !== null

const whyFailed = (o: Observed, job: JobFact): string => {
  const name = names.backupJob(o.mysql.metadata.name)
  if (job.timedOut) return 'it took longer than spec.backup.timeoutSeconds'
  if (job.state === 'deleting') return `Job ${name} was removed before it had finished`
  if (job.state === 'failed') return jobProblem(job, name)
  return `Job ${name} ended and says nothing of a dump`
}

/** What came of a run that is not noted yet; undefined while that is not known. */
const newOutcome = (o: Observed, now: Date): (Outcome & { job: JobFact }) | undefined => {
  const job = begunDump(o)
  if (!job || job.state === 'running' || isNoted(o, job)) return undefined
  const result = job.report === undefined ? undefined : backupResult(job.report)
  if (job.state !== 'failed' && isMade(result)) return { made: result, job }
  if (job.state === 'succeeded' && isUnread(job, now)) return undefined
  return { failed: whyFailed(o, job), job }
}

const secondsOf = ({ startedAt, finishedAt = startedAt }: JobFact) =>
  Math.round((Date.parse(finishedAt) - Date.parse(startedAt)) / 1000)

const noted = (before: BackupStatus, outcome: ReturnType<typeof newOutcome>, now: Date): BackupStatus => {
  if (!outcome) return before
  const { job } = outcome
  if ('failed' in outcome) {
    return { ...before, lastRun: job.startedAt, failures: (before.failures ?? 0) + 1 }
  }
  const { file, bytes, tables } = outcome.made
  const lastSuccess = job.finishedAt ?? now.toISOString()
  const { sinceVerified } = before
  return {
    ...before,
    ...{ lastRun: job.startedAt, lastSuccess, file, bytes, tables, duration: secondsOf(job) },
    ...(sinceVerified === undefined ? {} : { sinceVerified: sinceVerified + 1 }),
  }
}

/** `status.backup` and the request that is handled; `nextRun` only of a MySQL that is not being deleted. */
export const backupStatus = (o: Observed, now: Date): Partial<MySQLStatus> => {
  const { nextRun: _, ...before } = o.mysql.status?.backup ?? {}
  const nextRun = o.mysql.metadata.deletionTimestamp === undefined ? nextDump(o, now) : undefined
  const backup = {
    ...withVerification(noted(before, newOutcome(o, now), now), o, now),
    ...(nextRun === undefined ? {} : { nextRun }),
  }
  const handled = begunDump(o)?.requestedBy
  return {
    ...(Object.keys(backup).length === 0 && o.mysql.status?.backup === undefined ? {} : { backup }),
    ...(handled === undefined ? {} : { lastHandledBackupAt: handled }),
  }
}

/** That a dump was made, in the words of `what` it is: `The last dump is`. */
export const madeFinding = (what: string, { file, incomplete }: MadeDump): Finding => {
  const left = incomplete.length > 0 ? ` Left out, since they cannot be read: ${incomplete.join(', ')}.` : ''
  return finding('BackedUp', 'True', left ? 'BackupIncomplete' : 'Succeeded', `${what} ${file}.${left}`)
}

const failedFinding = (o: Observed, job: JobFact, why: string): Finding => {
  const before = o.mysql.status?.backup ?? {}
  const { file, lastSuccess } = before
  const last = isFoundBad(before) ? 'The one before, which was found bad,' : 'The last good one'
  const good = file === undefined ? 'There is no good one yet.' : `${last} is ${file} of ${lastSuccess}.`
  return finding('BackedUp', 'False', 'Failed', `The dump begun at ${job.startedAt} failed: ${why}. ${good}`)
}

const ended: readonly string[] = ['Succeeded', 'BackupIncomplete', 'Failed']

/** While a run is under way, what the one before came to stays true. Undefined where no dump was ever wanted. */
export const backedUpFinding = (o: Observed, now: Date): Finding | undefined => {
  const outcome = newOutcome(o, now)
  if (outcome) {
    return 'made' in outcome
      ? madeFinding('The latest dump is', outcome.made)
      : failedFinding(o, outcome.job, outcome.failed)
  }
  const before = o.mysql.status?.conditions?.find(({ type }) => type === 'BackedUp')
  if (before && ended.includes(before.reason)) return before as Finding
  if (ownDump(o)) {
    const job = names.backupJob(o.mysql.metadata.name)
    return finding('BackedUp', 'Unknown', 'Running', `Job ${job} makes the first dump.`)
  }
  const next = nextDump(o, now)
  return next === undefined
    ? undefined
    : finding('BackedUp', 'Unknown', 'Pending', `The first dump is due at ${next}.`)
}
