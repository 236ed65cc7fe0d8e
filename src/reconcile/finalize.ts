/**
 * The end of a MySQL: a last dump, then its objects, then its data, then the finalizer. It does not depend on the spec
 * being valid, on the webhook, or on the operator having been there when the deletion was asked for.
 */
import { annotations, finalizer, names } from '../api/names.ts'
import type { TypedResource } from '../api/resource.ts'
import { backupJob } from '../desired/jobs/backup.ts'
import { NameTaken } from '../kube/apply.ts'
import {
  ConfigMap,
  Job,
  type Kind,
  MySQL,
  Namespace,
  PersistentVolumeClaim,
  Secret,
  Service,
  StatefulSet,
} from '../kube/kinds.ts'
import { createJob, jobNames, markClaim, removeJob } from './act.ts'
import { at, type Run, withImage } from './context.ts'
import { decideEnd, type EndPlan, needsDump } from './decideEnd.ts'
import { endStatus } from './endStatus.ts'
import { claimRemedy, ensureObjects } from './objects.ts'
import { type Observed, observe } from './observe.ts'
import { imageInUse } from './upgrade.ts'
import { writeStatus } from './writeStatus.ts'

/** Removes the object only if it is this MySQL's; false when there is (no longer) one. */
const removeOwn = async <T extends TypedResource>(
  run: Run,
  kind: Kind<T>,
  name: string,
): Promise<boolean> => {
  const live = await run.client.get(kind, at(run, name))
  if (!live || live.metadata.annotations?.[annotations.ownerUid] !== run.mysql.metadata.uid) return false
  if (!live.metadata.deletionTimestamp) {
    await run.client.remove(kind, at(run, name), { uid: live.metadata.uid, propagationPolicy: 'Foreground' })
  }
  return true
}

/** Lets the data claim go: `Retain` takes our mark off it, so that a MySQL of the same name can take it over. */
const removeClaim = async (run: Run): Promise<boolean> => {
  const name = names.data(run.mysql.metadata.name)
  if (run.mysql.spec.deletionPolicy !== 'Retain') return removeOwn(run, PersistentVolumeClaim, name)
  const claim = await run.client.get(PersistentVolumeClaim, at(run, name))
  if (claim?.metadata.annotations?.[annotations.ownerUid] !== run.mysql.metadata.uid) return false
  const marks = { [annotations.ownerUid]: null }
  await run.client.patch(
    PersistentVolumeClaim,
    at(run, name),
    { metadata: { uid: claim?.metadata.uid, annotations: marks } },
    'merge',
  )
  return false
}

/** Everything but the backup claim; true when nothing of it is left. The last dump's Job goes last: it is the proof. */
const removeAll = async (run: Run, o: Observed): Promise<boolean> => {
  const { name } = run.mysql.metadata
  for (const job of [names.restoreJob(name), names.passwordJob(name), names.verifyJob(name)])
    await removeOwn(run, Job, job)
  const workload = await removeOwn(run, StatefulSet, names.workload(name))
  if (workload || o.pod) return false
  await removeOwn(run, Service, names.service(name))
  await removeOwn(run, Service, names.pods(name))
  await removeOwn(run, Secret, names.operatorSecret(name))
  await removeOwn(run, Secret, names.initSecret(name))
  if (await removeClaim(run)) return false
  if (await removeOwn(run, Job, names.backupJob(name))) return false
  await removeOwn(run, ConfigMap, names.config(name))
  return true
}

/** Takes our finalizer off, and only ours: the test makes sure that the place in the list is still the one seen. */
const release = async (run: Run): Promise<void> => {
  const live = await run.client.get(MySQL, at(run, run.mysql.metadata.name))
  const index = live?.metadata.finalizers?.indexOf(finalizer) ?? -1
  if (live?.metadata.uid !== run.mysql.metadata.uid || index < 0) return
  const path = `/metadata/finalizers/${index}`
  await run.client.patch(
    MySQL,
    at(run, run.mysql.metadata.name),
    [
      { op: 'test', path, value: finalizer },
      { op: 'remove', path },
    ],
    'json',
  )
  run.accountsSeen.delete(run.mysql.metadata.uid ?? '')
  run.log.info('let the resource go')
}

const isTerminating = async (run: Run): Promise<boolean> => {
  const namespace = await run.client.get(Namespace, { name: run.mysql.metadata.namespace ?? '' })
  return namespace?.metadata.deletionTimestamp !== undefined
}

/** A claim that lost its label is not seen any more, and is not gone: its data would go without a dump. */
const requireNoClaim = async (run: Run): Promise<void> => {
  const ref = at(run, names.data(run.mysql.metadata.name))
  const live = await run.client.get(PersistentVolumeClaim, ref)
  if (live?.metadata.annotations?.[annotations.ownerUid] === run.mysql.metadata.uid) {
    throw new NameTaken(PersistentVolumeClaim, ref, false, claimRemedy(run, ref.name))
  }
}

/**
 * A server that does not answer keeps the dump waiting, and so does a Secret that is gone: what is missing is made anew, and
 * whatever is corrected in the spec meanwhile reaches the server.
 */
const mendServer = async (run: Run, o: Observed): Promise<void> => {
  const isStarting = o.backup?.state === 'running' && !o.backup.started
  if (!o.pod?.ready || isStarting) await ensureObjects(run)
}

const carryOut = async (run: Run, o: Observed, plan: EndPlan): Promise<number | undefined> => {
  const claimUid = o.dataClaim?.metadata.uid ?? ''
  switch (plan.do) {
    case 'release':
      await release(run)
      return undefined
    case 'dump':
      await createJob(run, backupJob(run.mysql, { claimUid, cause: 'last' }))
      return undefined
    case 'markEmpty':
      await markClaim(run, o, { [annotations.nothingToDump]: run.mysql.metadata.uid ?? '' })
      return undefined
    case 'startServer':
      await ensureObjects(run)
      return undefined
    case 'removeJob':
      await removeJob(run, jobNames[plan.job](run.mysql.metadata.name), plan.uid)
      return undefined
    case 'waitForDump':
      await mendServer(run, o)
      return 10_000
    case 'retryLater':
      await mendServer(run, o)
      return plan.forMs
    case 'remove': {
      if (await removeAll(run, o)) await release(run)
      // Claims and pods go in their own time; the events of their going bring us back, and this if one is missed.
      return 5_000
    }
    default:
      plan satisfies never
      return undefined
  }
}

/** One step of the deletion; asks to be called again until the finalizer is off. Returns milliseconds to wait. */
export const finalize = async (asked: Run): Promise<number | undefined> => {
  if (!asked.mysql.metadata.finalizers?.includes(finalizer)) return undefined
  const o = observe(asked.caches, asked.mysql)
  // An upgrade that waited for its dump is not begun any more, unless the image before cannot be started.
  const run = o.pod?.stuck === undefined ? withImage(asked, imageInUse(o)) : asked
  const plan = decideEnd(o, await isTerminating(run), run.now())
  if (plan.do === 'remove' && !o.dataClaim && needsDump(o)) await requireNoClaim(run)
  const status = endStatus(o, plan, run.now())
  // The last status of all is written while there is a resource to write it to; any other tells what has been done.
  const last = plan.do === 'remove' || plan.do === 'release'
  if (last) await writeStatus(run, status)
  const wait = await carryOut(run, o, plan)
  if (!last) await writeStatus(run, status)
  return wait
}
