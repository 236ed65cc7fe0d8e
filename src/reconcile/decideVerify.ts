/** When a dump is restored into a throw-away server, to prove it: pure. The status remembers what was tried last. */
import { isDumpNews } from './decideBackup.ts'
import { isHopeless, type JobFact, overdue, reportWithinMs } from './jobs.ts'
import type { Observed } from './observe.ts'

export type VerifyPlan =
  /** Start the Job that proves a dump; the file's name. */
  { do: 'verify'; dump: string } | { do: 'removeJob'; job: 'verify'; uid: string }

/** The verification's Job, if it is about a dump of this MySQL. */
export const ownVerification = ({ mysql, verify }: Observed): JobFact | undefined =>
  verify?.ownerUid === mysql.metadata.uid ? verify : undefined

/** Has the status what came of it? */
export const isTried = (o: Observed, job: JobFact): boolean =>
  o.mysql.status?.backup?.verification?.startedAt === job.startedAt

/** The newest dump, if its turn has come and it was not tried: the first, and the n-th after one that was judged. */
export const dumpToVerify = ({ mysql: { spec, status } }: Observed): string | undefined => {
  const { verifyEvery } = spec.backup
  const { file, verification, sinceVerified = verifyEvery } = status?.backup ?? {}
  if (verifyEvery === 0 || file === verification?.file) return undefined
  return sinceVerified >= verifyEvery ? file : undefined
}

/** A failed one keeps its volume and its log for so long, in milliseconds. */
const readableMs = 3_600_000

const age = (time: string | undefined, now: Date) => now.getTime() - Date.parse(time ?? '')

/** Milliseconds until an ended Job may go, and its volume with it; 0 or less: now. */
const goesInMs = (job: JobFact, now: Date) => (job.state === 'failed' ? overdue(job, now, readableMs) : 0)

const isOver = (o: Observed, job: JobFact, now: Date): boolean => {
  if (job !== ownVerification(o)) return true
  if (job.state === 'running') return isHopeless(o.mysql, job)
  return isTried(o, job) && (goesInMs(job, now) <= 0 || dumpToVerify(o) !== undefined)
}

/** Two pods may not be able to have the backup volume at once, and a dump removes older ones: one at a time. */
const isDumping = (o: Observed) =>
  o.backup?.state === 'running' || o.backup?.state === 'deleting' || isDumpNews(o)

/** What is left to do when everything else is done. */
export const decideVerify = (o: Observed, now: Date): VerifyPlan | undefined => {
  if (o.verify) {
    const goes = o.verify.state !== 'deleting' && isOver(o, o.verify, now)
    return goes ? { do: 'removeJob', job: 'verify', uid: o.verify.uid } : undefined
  }
  const dump = dumpToVerify(o)
  return dump === undefined || isDumping(o) ? undefined : { do: 'verify', dump }
}

/**
 * What a dump has to do first: it waits for a verification that is at work, which has its own deadline, and puts an end to
 * one that has not begun, since that may wait for room for ever.
 */
export const makeWay = ({ verify }: Observed): VerifyPlan | 'wait' | undefined => {
  if (verify?.state === 'deleting') return 'wait'
  if (verify?.state !== 'running') return undefined
  return verify.started ? 'wait' : { do: 'removeJob', job: 'verify', uid: verify.uid }
}

/** How long a pod may need to start before people are told why it does not, in milliseconds. */
const startsWithinMs = 120_000

/** Its pod should have started by now. */
export const isKeptWaiting = (job: JobFact, now: Date): boolean =>
  job.state === 'running' && !job.started && age(job.startedAt, now) >= startsWithinMs

/** How long the report of an ended Job may be on its way; the pods are watched apart from the Jobs. */
export const isVerdictDue = (job: JobFact, now: Date): boolean =>
  job.report === undefined && age(job.finishedAt, now) < reportWithinMs

/** Milliseconds until something about verifications is to be looked at without an event; empty if nothing is. */
export const nextVerifyLook = (o: Observed, now: Date): number[] => {
  const job = ownVerification(o)
  if (!job || job.state === 'deleting') return []
  if (job.state === 'running')
    return job.started || isKeptWaiting(job, now) ? [] : [startsWithinMs - age(job.startedAt, now)]
  if (isTried(o, job)) return job.state === 'failed' ? [Math.max(1_000, goesInMs(job, now))] : []
  return isVerdictDue(job, now) ? [reportWithinMs - age(job.finishedAt, now)] : []
}
