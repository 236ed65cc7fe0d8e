/**
 * When a living MySQL gets a dump: pure. The status remembers when the next one is due; the Job tells for what it was
 * started, so that a crash between the two starts nothing twice.
 */
import { annotations } from '../api/names.ts'
import { nextRun } from '../api/schedule.ts'
import type { BackupCause } from '../desired/jobs/backup.ts'
import { isHopeless, type JobFact, reportDueMs } from './jobs.ts'
import { isCurrent, isFilled, type Observed } from './observe.ts'
import { nextUpgradeLook, owedBeforeUpgrade } from './upgrade.ts'

/** Start the Job that makes a dump of the living server. */
export interface StartBackup {
  do: 'backup'
  cause: BackupCause
}

/** The dump's Job, if it is about this MySQL and its data. */
export const ownDump = (o: Observed): JobFact | undefined => (isCurrent(o, o.backup) ? o.backup : undefined)

/** The same once it has done anything. Until then it may still make way for one from a corrected spec. */
export const begunDump = (o: Observed): JobFact | undefined => {
  const job = ownDump(o)
  const hasBegun = job && (job.started || job.state === 'succeeded' || job.state === 'failed')
  return hasBegun ? job : undefined
}

/** The schedule, where one is to be kept: not while it or the MySQL is suspended, nor before there is something to dump. */
const scheduleOf = (o: Observed) => {
  const { schedule, timeZone, suspended } = o.mysql.spec.backup
  const rests = suspended || o.mysql.spec.suspended || !isFilled(o)
  return schedule === undefined || rests ? undefined : { schedule, timeZone }
}

/** The time of the schedule that has come, and for which no Job has begun. */
const dueTime = (o: Observed, now: Date): string | undefined => {
  const noted = o.mysql.status?.backup?.nextRun
  if (noted === undefined || !scheduleOf(o) || Date.parse(noted) > now.getTime()) return undefined
  const started = Date.parse(begunDump(o)?.scheduledFor ?? '')
  return started >= Date.parse(noted) ? undefined : noted
}

/**
 * When the schedule wants a dump next; in the past while that dump waits. What was noted is only asked whether it has
 * come: while it has not, the next run from now on is the same, unless the schedule was changed.
 */
export const nextDump = (o: Observed, now: Date): string | undefined => {
  const plan = scheduleOf(o)
  if (!plan) return undefined
  const next = nextRun(plan.schedule, plan.timeZone, now)?.toISOString().replace('.000Z', 'Z')
  return dueTime(o, now) ?? next
}

const newRequest = (o: Observed): string | undefined => {
  const wanted = o.mysql.metadata.annotations?.[annotations.backupRequestedAt]
  const handled = [o.mysql.status?.lastHandledBackupAt, begunDump(o)?.requestedBy]
  return handled.includes(wanted) ? undefined : wanted
}

/** What a dump is owed for, if one is. */
const causeOf = (o: Observed, now: Date): BackupCause | undefined => {
  const cause = {
    scheduledFor: dueTime(o, now),
    requestedBy: newRequest(o),
    beforeUpgradeTo: owedBeforeUpgrade(o, now),
  }
  return Object.values(cause).every((part) => part === undefined) ? undefined : cause
}

/** Has the status what came of the run? Only then may its Job go. */
export const isNoted = (o: Observed, job: JobFact): boolean =>
  o.mysql.status?.backup?.lastRun === job.startedAt

/** A run has ended that the status does not know of. */
export const isDumpNews = (o: Observed): boolean => {
  const own = ownDump(o)
  return own !== undefined && own.state !== 'running' && !isNoted(o, own)
}

/** One run at a time, and none is forgotten: what is owed is started when the run before has ended and is noted. */
export const decideBackup = (
  o: Observed,
  now: Date,
): StartBackup | { do: 'removeJob'; job: 'backup'; uid: string } | undefined => {
  const cause = isFilled(o) ? causeOf(o, now) : undefined
  if (!cause) return undefined
  if (!o.backup) return { do: 'backup', cause }
  if (o.backup.state === 'deleting') return undefined
  const own = ownDump(o)
  const isAtWork = own?.state === 'running' && !isHopeless(o.mysql, own)
  return isAtWork || isDumpNews(o) ? undefined : { do: 'removeJob', job: 'backup', uid: o.backup.uid }
}

/** A timer may not be longer than 24 days, and clocks are set: the time is looked at now and then. */
const longestLookMs = 3_600_000

/** Milliseconds until something about dumps is to be looked at without an event; empty if nothing is. */
export const nextBackupLook = (o: Observed, now: Date): number[] => {
  const own = ownDump(o)
  const reportDue = own && !isNoted(o, own) ? reportDueMs(own, now) : undefined
  const next = nextDump(o, now)
  const untilNext = next === undefined ? undefined : Date.parse(next) - now.getTime()
  // What is due already waits for a Job, whose events bring us back.
  const looks = [reportDue, untilNext, ...nextUpgradeLook(o, now)].filter((ms) => ms !== undefined && ms > 0)
  return looks.map((ms = longestLookMs) => Math.min(longestLookMs, ms))
}
