/** What the status of a MySQL says while it is being deleted: pure. */
import { type Finding, finding } from '../api/conditions.ts'
import type { MySQL } from '../api/mysql.ts'
import { names } from '../api/names.ts'
import type { MySQLStatus } from '../api/schema.ts'
import { type BackupResult, backupResult } from '../desired/results.ts'
import { backupStatus, isMade, madeFinding } from './backupStatus.ts'
import { type EndPlan, needsDump } from './decideEnd.ts'
import { jobProblem } from './jobs.ts'
import type { Observed } from './observe.ts'
import { statusWith } from './status.ts'

const wayOut = ({ metadata: { name, namespace } }: MySQL): string => {
  const patch = (policy: string) =>
    `kubectl -n ${namespace} patch mysql ${name} --type merge -p '{"spec":{"deletionPolicy":"${policy}"}}'`
  return `To let it go without a dump and keep the data volume: ${patch('Retain')}. To lose the data: ${patch('Delete')}.`
}

const stuckFinding = ({ mysql }: Observed, why: string): Finding =>
  finding(
    'DeletionBlocked',
    'True',
    'Stuck',
    `The last dump cannot run: ${why}. Correct it. ${wayOut(mysql)}`,
  )

/** With the dump made, or none wanted, there is nothing to let go of. */
const haltedFinding = (o: Observed, why: string): Finding =>
  needsDump(o)
    ? stuckFinding(o, why)
    : finding('DeletionBlocked', 'True', 'Stuck', `Something cannot be removed: ${why}. Correct it.`)

/** While another try is under way nothing is better yet: what was said before stays. */
const saidBefore = ({ mysql }: Observed): Finding | undefined => {
  const before = mysql.status?.conditions?.find(({ type }) => type === 'DeletionBlocked')
  return before?.reason === 'BackupFailed'
    ? finding('DeletionBlocked', 'True', 'BackupFailed', before.message)
    : undefined
}

const blockedFinding = (o: Observed, plan: EndPlan): Finding | undefined => {
  if (plan.do === 'retryLater' && o.backup) {
    const why = jobProblem(o.backup, names.backupJob(o.mysql.metadata.name))
    const message = `The last dump failed and will be tried again: ${why}. ${wayOut(o.mysql)}`
    return finding('DeletionBlocked', 'True', 'BackupFailed', message)
  }
  if (plan.do === 'waitForDump' && plan.stuck !== undefined) return stuckFinding(o, plan.stuck)
  return plan.do === 'remove' || plan.do === 'release' ? undefined : saidBefore(o)
}

const made = (result: BackupResult): Finding =>
  isMade(result)
    ? madeFinding('The last dump is', result)
    : finding('BackedUp', 'True', 'Succeeded', 'The database was never opened: nothing to dump.')

const backedUpFinding = (
  o: Observed,
  plan: EndPlan,
  result: BackupResult | undefined,
): Finding | undefined => {
  const job = names.backupJob(o.mysql.metadata.name)
  if (result) return made(result)
  if (plan.do === 'retryLater') return finding('BackedUp', 'False', 'Failed', `Job ${job} failed.`)
  const started = o.mysql.spec.suspended
    ? ' The server is started for it, although spec.suspended is true.'
    : ''
  return plan.do === 'startServer' || plan.do === 'dump' || plan.do === 'waitForDump'
    ? finding('BackedUp', 'Unknown', 'Running', `Job ${job} makes the last dump.${started}`)
    : undefined
}

/** What the removal waits for: a pod on a lost node, or a claim that something else holds, would keep it for ever. */
const removing = ({ mysql, workload, pod, dataClaim }: Observed): string => {
  const { name } = mysql.metadata
  const left = [
    workload && `StatefulSet ${names.workload(name)}`,
    pod && `pod ${names.workload(name)}-0`,
    dataClaim?.metadata.deletionTimestamp && `claim ${names.data(name)}`,
  ].filter(Boolean)
  return left.length === 0 ? 'Removing the database.' : `Removing the database: ${left.join(', ')} to go.`
}

/** The status during the end, for the step that is about to be taken. */
export const endStatus = (o: Observed, plan: EndPlan, now: Date): MySQLStatus => {
  const isLast = o.backup?.state === 'succeeded' && o.backup.isLastDump
  const report = isLast ? o.backup?.report : undefined
  const result = report === undefined ? undefined : backupResult(report)
  const blocked = blockedFinding(o, plan)
  const backedUp = backedUpFinding(o, plan, result)
  const ready = finding('Ready', 'False', 'Deleting', 'The resource is being deleted.')
  const findings = [ready, backedUp, blocked].filter((found) => found !== undefined)
  const message = (blocked ?? (plan.do === 'remove' ? undefined : backedUp))?.message ?? removing(o)
  return statusWith(o.mysql, findings, message, backupStatus(o, now), now)
}

/** The status of a deletion that came to a halt because something could not be made or removed. */
export const blockedStatus = (o: Observed, why: string, now: Date): MySQLStatus => {
  const blocked = haltedFinding(o, why)
  const ready = finding('Ready', 'False', 'Deleting', 'The resource is being deleted.')
  return statusWith(o.mysql, [ready, blocked], blocked.message, {}, now)
}
