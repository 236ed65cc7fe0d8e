/** What to do next for a MySQL that is being deleted: pure, one step at a time. */
import { backupResult } from '../desired/results.ts'
import { isHopeless, type JobFact, overdue, reportWithinMs } from './jobs.ts'
import { claimMarks, type Observed } from './observe.ts'

export type EndPlan =
  /** Take the finalizer off at once: nothing can be run, or is left to be done. */
  | { do: 'release' }
  /** Note on the claim that there is nothing to dump: what proves it is about to be removed. */
  | { do: 'markEmpty' }
  /** A dump needs a server: make what somebody removed, and start what is suspended. */
  | { do: 'startServer' }
  | { do: 'dump' }
  | { do: 'removeJob'; job: 'restore' | 'verify' | 'backup'; uid: string }
  | { do: 'waitForDump'; stuck: string | undefined }
  | { do: 'retryLater'; forMs: number }
  | { do: 'remove' }

/** Milliseconds until a failed last dump is made again. */
export const dumpRetryMs = 60_000

/**
 * Can there be data that a dump would save? Only proof counts as *no*: no claim, a claim that never got a volume, or a pod
 * whose init container never started while the restore Job, without which nobody gets in, has not succeeded. A workload of
 * generation 1 has had one template only, so no earlier pod can have started with a better image. Whatever is unknown counts as data: the dump's own script knows
 * from the server itself whether the database was ever opened to clients, and writes no dump of one that was not.
 */
export const mayHaveData = (o: Observed): boolean => {
  if (!o.dataClaim) return false
  const { initialised, restoredFrom } = claimMarks(o.dataClaim)
  if (initialised !== undefined || restoredFrom !== undefined || o.pod?.initialised) return true
  if (isMarkedEmpty(o)) return false
  return o.dataClaim.status?.phase === 'Bound' && !neverOpened(o)
}

const neverOpened = (o: Observed): boolean => {
  const neverStarted = o.workload?.metadata.generation === 1 && o.pod !== undefined && !o.pod.everStarted
  // One that is being removed may have succeeded before.
  const notSucceeded = o.restore?.state === 'running' || o.restore?.state === 'failed'
  return neverStarted && notSucceeded && o.restore !== undefined && own(o, o.restore)
}

/** The mark of a former resource of this name says nothing about this one. */
const isMarkedEmpty = ({ mysql, dataClaim }: Observed) =>
  claimMarks(dataClaim).nothingToDump === mysql.metadata.uid

const own = (o: Observed, job: JobFact) => job.ownerUid === o.mysql.metadata.uid

/** Not a dump of the living server: that one lets writes in which it does not have. */
const isLastDump = (o: Observed, job: JobFact) => own(o, job) && job.isLastDump

/** A last dump that was made of this claim, after the deletion began, and that says what it holds. */
const isDumped = (o: Observed): boolean => {
  const { backup } = o
  if (backup?.state !== 'succeeded' || !isLastDump(o, backup)) return false
  const ofThisClaim = o.dataClaim === undefined || backup.claimUid === o.dataClaim.metadata.uid
  const asked = o.mysql.metadata.deletionTimestamp ?? ''
  return (
    ofThisClaim &&
    backup.startedAt >= asked &&
    backup.report !== undefined &&
    backupResult(backup.report) !== undefined
  )
}

/**
 * A restore that goes on while the dump is made would open the database behind its back, and a verification may have the
 * backup volume on another node.
 */
const endOthers = (o: Observed): EndPlan | undefined => {
  for (const job of ['restore', 'verify'] as const) {
    const found = o[job]
    if (found?.state === 'running') return { do: 'removeJob', job, uid: found.uid }
    if (found?.state === 'deleting') return { do: 'waitForDump', stuck: undefined }
  }
  return undefined
}

/** It says that it succeeded and has nothing to show for it: it was not this operator's, or its pod was removed. */
const isForged = (backup: JobFact, now: Date): boolean =>
  backup.state === 'succeeded' &&
  now.getTime() - Date.parse(backup.finishedAt ?? backup.startedAt) > reportWithinMs

/** What keeps a dump from being made: its own pod, or the server that it is made from. */
const whyNoDump = ({ pod }: Observed, backup: JobFact): string | undefined =>
  backup.stuck ?? pod?.stuck ?? backup.unschedulable ?? pod?.unschedulable

const dump = (o: Observed, now: Date): EndPlan => {
  const { backup } = o
  // Somebody removed it, or it is suspended.
  if (!o.workload || o.workload.spec?.replicas === 0) return { do: 'startServer' }
  if (!backup) return { do: 'dump' }
  if (backup.state === 'deleting') return { do: 'waitForDump', stuck: undefined }
  if (!isLastDump(o, backup) || isForged(backup, now))
    return { do: 'removeJob', job: 'backup', uid: backup.uid }
  if (isHopeless(o.mysql, backup)) return { do: 'removeJob', job: 'backup', uid: backup.uid }
  if (backup.state === 'running') return { do: 'waitForDump', stuck: whyNoDump(o, backup) }
  // Its report is on its way.
  if (backup.state === 'succeeded') return { do: 'waitForDump', stuck: undefined }
  const forMs = overdue(backup, now, dumpRetryMs)
  return forMs > 0 ? { do: 'retryLater', forMs } : { do: 'removeJob', job: 'backup', uid: backup.uid }
}

/** No dump has been made that the policy asks for. */
export const needsDump = (o: Observed): boolean => {
  const { deletionPolicy } = o.mysql.spec
  // Any other value, which only an old or broken resource can have, is treated as the careful one.
  return deletionPolicy !== 'Retain' && deletionPolicy !== 'Delete' && !isDumped(o)
}

/** The next step. In a namespace that is terminating no Job can run, so there is nothing to wait for. */
export const decideEnd = (o: Observed, namespaceTerminating: boolean, now: Date): EndPlan => {
  if (namespaceTerminating) return { do: 'release' }
  if (!needsDump(o)) return { do: 'remove' }
  if (!mayHaveData(o)) return { do: !o.dataClaim || isMarkedEmpty(o) ? 'remove' : 'markEmpty' }
  return endOthers(o) ?? dump(o, now)
}
