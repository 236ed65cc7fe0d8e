/** What the status says of verifications: pure. The condition follows the latest one that has ended. */
import { type Finding, finding } from '../api/conditions.ts'
import { names } from '../api/names.ts'
import type { MySQLStatus } from '../api/schema.ts'
import { type VerifyResult, verifyResult } from '../desired/results.ts'
import { dumpToVerify, isKeptWaiting, isTried, isVerdictDue, ownVerification } from './decideVerify.ts'
import { type JobFact, jobProblem } from './jobs.ts'
import type { Observed } from './observe.ts'

type BackupStatus = NonNullable<MySQLStatus['backup']>
type Outcome = { job: JobFact } & (
  | { result: 'Good' | 'Bad'; told: VerifyResult }
  | { result: 'Unknown'; why: string }
)

const jobName = (o: Observed) => names.verifyJob(o.mysql.metadata.name)

const whyUnknown = (o: Observed, job: JobFact): string =>
  job.timedOut
    ? 'it took longer than spec.backup.timeoutSeconds, or there was no room for its volume or pod'
    : jobProblem(job, jobName(o))

/**
 * What came of a verification that is not noted yet; undefined while that is not known. One that was removed half way has
 * come to nothing, and is begun again.
 */
const newOutcome = (o: Observed, now: Date): Outcome | undefined => {
  const job = ownVerification(o)
  if (!job || job.state === 'running' || job.state === 'deleting' || isTried(o, job)) return undefined
  const told = job.report === undefined ? undefined : verifyResult(job.report)
  if (told?.file === job.verifies && told?.flaw === null && job.state === 'succeeded')
    return { job, told, result: 'Good' }
  if (told?.file === job.verifies && told?.flaw && job.state === 'failed') return { job, told, result: 'Bad' }
  return isVerdictDue(job, now) ? undefined : { job, result: 'Unknown', why: whyUnknown(o, job) }
}

/** `status.backup` with what came of the verification, if that is news. */
export const withVerification = (before: BackupStatus, o: Observed, now: Date): BackupStatus => {
  const outcome = newOutcome(o, now)
  if (!outcome) return before
  const { job, result } = outcome
  const verification = { startedAt: job.startedAt, file: job.verifies ?? '', result }
  if (result === 'Unknown') return { ...before, verification }
  const judged = { ...before, verification, sinceVerified: 0 }
  return result === 'Good' ? { ...judged, verifiedAt: job.finishedAt ?? now.toISOString() } : judged
}

/** The newest dump was found bad. */
export const isFoundBad = ({ file, verification }: BackupStatus): boolean =>
  verification?.file === file && verification?.result === 'Bad'

const outcomeFinding = (outcome: Outcome): Finding => {
  const file = outcome.job.verifies
  if (outcome.result === 'Unknown') {
    const text = `Whether ${file} can be restored is not known: ${outcome.why}. The next dump is tried.`
    return finding('BackupVerified', 'Unknown', 'Failed', text)
  }
  const { flaw, tables, version } = outcome.told
  return outcome.result === 'Good'
    ? finding(
        'BackupVerified',
        'True',
        'Verified',
        `${file} was restored into a throw-away server, ${version}: ${tables} tables.`,
      )
    : finding(
        'BackupVerified',
        'False',
        'Bad',
        `${file} is bad: ${flaw}. It is kept, and a restore of the latest passes it over. Have another dump made, and look at the storage.`,
      )
}

const ended: readonly string[] = ['Verified', 'Bad', 'Failed']

/** Undefined where there is nothing that was, is or will be verified. */
export const verifiedFinding = (o: Observed, now: Date): Finding | undefined => {
  const outcome = newOutcome(o, now)
  if (outcome) return outcomeFinding(outcome)
  const job = ownVerification(o)
  if (job && isKeptWaiting(job, now)) {
    const why = job.stuck ?? job.unschedulable ?? `see \`kubectl describe job/${jobName(o)}\``
    const text = `The verification of ${job.verifies} has not started: ${why}`
    return finding('BackupVerified', 'Unknown', 'Waiting', text)
  }
  const before = o.mysql.status?.conditions?.find(({ type }) => type === 'BackupVerified')
  if (before && ended.includes(before.reason)) return before as Finding
  if (job?.state === 'running')
    return finding('BackupVerified', 'Unknown', 'Running', `Job ${jobName(o)} restores ${job.verifies}.`)
  const dump = dumpToVerify(o)
  return dump === undefined
    ? undefined
    : finding('BackupVerified', 'Unknown', 'Pending', `${dump} is verified next.`)
}
