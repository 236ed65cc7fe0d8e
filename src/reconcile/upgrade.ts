/**
 * Another image waits for a dump of the server that runs: pure. The data claim knows the image that its data was last served
 * with, and the dump that an upgrade under way began with.
 */
import { type Finding, finding } from '../api/conditions.ts'
import { annotations, names } from '../api/names.ts'
import { backupResult } from '../desired/results.ts'
import { type JobFact, jobProblem, overdue, reportDueMs } from './jobs.ts'
import { claimMarks, isCurrent, type Observed } from './observe.ts'

export interface Upgrade {
  from: string
  to: string
}

export type UpgradePlan = {
  /** Note on the claim which image serves its data, which ends an upgrade, or which dump one begins with. */
  do: 'noteOnClaim'
  marks: Record<string, string | null>
}

/** Milliseconds until a failed dump before an upgrade is made again. */
const retryMs = 60_000

/** The change of the image that waits for its dump. */
export const pendingUpgrade = ({ mysql: { spec }, dataClaim }: Observed): Upgrade | undefined => {
  const { serverImage: from, upgradeDump } = claimMarks(dataClaim)
  const waits = from !== undefined && from !== spec.image && upgradeDump === undefined
  return waits && spec.backup.beforeUpgrade ? { from, to: spec.image } : undefined
}

/** The image of the server and of the Jobs, which need a client of its version. */
export const imageInUse = (o: Observed): string => pendingUpgrade(o)?.from ?? o.mysql.spec.image

/** The Job that makes the dump; one from before the last change of the spec says nothing of this upgrade. */
const upgradeJob = (o: Observed): JobFact | undefined => {
  const { backup } = o
  const isFresh = isCurrent(o, backup) && backup.generation === o.mysql.metadata.generation
  return isFresh && backup.beforeUpgradeTo === o.mysql.spec.image ? backup : undefined
}

const fileOf = ({ state, report }: JobFact) =>
  state === 'succeeded' && report !== undefined ? backupResult(report)?.file : undefined

const isOver = (o: Observed) => {
  const { serverImage, upgradeDump } = claimMarks(o.dataClaim)
  const isNews = serverImage !== o.mysql.spec.image || upgradeDump !== undefined
  return isNews && o.rolledOut && o.pod?.ready && !pendingUpgrade(o)
}

/** What to note of an upgrade, if anything. */
export const decideUpgrade = (o: Observed): UpgradePlan | undefined => {
  if (isOver(o)) {
    const marks = { [annotations.serverImage]: o.mysql.spec.image, [annotations.upgradeDump]: null }
    return { do: 'noteOnClaim', marks }
  }
  const job = pendingUpgrade(o) && upgradeJob(o)
  const file = job && fileOf(job)
  return file ? { do: 'noteOnClaim', marks: { [annotations.upgradeDump]: file } } : undefined
}

/** Milliseconds until the dump of a pending upgrade is owed again; undefined while its Job is at work. */
const dueMs = (job: JobFact, now: Date): number | undefined => {
  if (job.state === 'running' || job.state === 'deleting') return undefined
  return Math.max(reportDueMs(job, now) ?? 0, overdue(job, now, retryMs))
}

/** The image before whose start a dump is owed now. */
export const owedBeforeUpgrade = (o: Observed, now: Date): string | undefined => {
  const upgrade = pendingUpgrade(o)
  const job = upgradeJob(o)
  const due = job ? dueMs(job, now) : 0
  return upgrade && due !== undefined && due <= 0 ? upgrade.to : undefined
}

/** Milliseconds until such a dump is owed without an event; empty if none will be. */
export const nextUpgradeLook = (o: Observed, now: Date): number[] => {
  const job = pendingUpgrade(o) && upgradeJob(o)
  const due = job && dueMs(job, now)
  return due !== undefined && due > 0 ? [due] : []
}

const wayOut = ({ metadata: { name, namespace } }: Observed['mysql'], { from, to }: Upgrade): string => {
  const patch = (spec: object) =>
    `kubectl -n ${namespace} patch mysql ${name} --type merge -p '${JSON.stringify({ spec })}'`
  return `To go to ${to} without a dump: ${patch({ backup: { beforeUpgrade: false } })}. To stay with ${from}: ${patch({ image: from })}.`
}

/** While it is tried again, and until the server answers, nothing is better yet. */
const saidBefore = (o: Observed): Finding | undefined => {
  const before = o.mysql.status?.conditions?.find(({ type }) => type === 'UpgradeBlocked')
  const stays = before?.reason === 'BackupFailed' || !o.pod?.ready
  const isAboutThis = before?.observedGeneration === o.mysql.metadata.generation
  return before && stays && isAboutThis ? (before as Finding) : undefined
}

/** That an upgrade waits for a person. */
export const upgradeBlockedFinding = (o: Observed): Finding | undefined => {
  const upgrade = pendingUpgrade(o)
  if (!upgrade || o.mysql.spec.suspended) return undefined
  const job = upgradeJob(o)
  const name = names.backupJob(o.mysql.metadata.name)
  if (job?.state === 'failed') {
    const why = `The dump before the upgrade failed and will be tried again: ${jobProblem(job, name)}.`
    return finding('UpgradeBlocked', 'True', 'BackupFailed', `${why} ${wayOut(o.mysql, upgrade)}`)
  }
  const stuck = o.pod?.stuck ?? o.pod?.unschedulable ?? job?.stuck ?? job?.unschedulable
  if (stuck === undefined) return saidBefore(o)
  const why = `The dump before the upgrade cannot be made: ${stuck}.`
  return finding('UpgradeBlocked', 'True', 'Stuck', `${why} ${wayOut(o.mysql, upgrade)}`)
}

/** That an upgrade is under way and no more than that. */
export const upgradingFinding = (o: Observed): Finding | undefined => {
  const upgrade = pendingUpgrade(o)
  const job = names.backupJob(o.mysql.metadata.name)
  return upgrade
    ? finding(
        'Progressing',
        'True',
        'Working',
        `Job ${job} makes a dump before the upgrade to ${upgrade.to}.`,
      )
    : undefined
}
