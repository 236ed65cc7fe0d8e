/** The objects of a living MySQL, made and kept as they should be; what is as it should be costs no request. */
import { annotations, labels, manager, names } from '../api/names.ts'
import type { TypedResource } from '../api/resource.ts'
import { backupClaim, dataClaim } from '../desired/claims.ts'
import { configMap } from '../desired/configMap.ts'
import { networkPolicy } from '../desired/networkPolicy.ts'
import { clientService, podsService } from '../desired/services.ts'
import { statefulSet } from '../desired/statefulSet.ts'
import { ensure, NameTaken } from '../kube/apply.ts'
import {
  ConfigMap,
  type Kind,
  MySQL,
  NetworkPolicy,
  PersistentVolumeClaim,
  Service,
  StatefulSet,
} from '../kube/kinds.ts'
import { at, type Run } from './context.ts'
import { createOrGet } from './create.ts'
import { observe } from './observe.ts'
import { operatorAccountUid } from './operatorAccount.ts'
import { wantsServer } from './suspension.ts'

const ensureObject = async <T extends TypedResource>(
  run: Run,
  kind: Kind<T>,
  wanted: T,
  live: T | undefined,
) => {
  // What carries our labels and this name is a former MySQL's of this name, if it is not this one's.
  const done = await ensure(run.client, kind, wanted, live, { adopt: true })
  if (done !== 'unchanged') {
    run.log.info({ kind: kind.kind, name: wanted.metadata.name }, done)
    run.did.push(`${done} ${kind.kind} ${wanted.metadata.name}`)
  }
  return done
}

const isLabelledOurs = (claim: PersistentVolumeClaim, name: string) =>
  claim.metadata.labels?.[labels.managedBy] === manager && claim.metadata.labels[labels.instance] === name

/** It may hold somebody's only data, such as the dumps of an older operator: taking it over is for people to decide. */
export const claimRemedy = ({ mysql: { metadata } }: Run, claim: string) => {
  const marks = `${labels.managedBy}=${manager} ${labels.instance}=${metadata.name}`
  return `to let this MySQL have it: \`kubectl label pvc ${claim} -n ${metadata.namespace} --overwrite ${marks}\``
}

/**
 * A claim is made once and not changed afterwards. One that a former MySQL of this name left behind (its data with
 * `Retain`, its backups always) is taken over: within a namespace there is one MySQL of a name at a time.
 */
const ensureClaim = async (
  run: Run,
  wanted: PersistentVolumeClaim,
  cached: PersistentVolumeClaim | undefined,
): Promise<PersistentVolumeClaim> => {
  const ref = at(run, wanted.metadata.name)
  const live = cached ?? (await createOrGet(run, PersistentVolumeClaim, wanted))
  if (!isLabelledOurs(live, run.mysql.metadata.name)) {
    throw new NameTaken(PersistentVolumeClaim, ref, isGoing(live), claimRemedy(run, ref.name))
  }
  if (live.metadata.annotations?.[annotations.ownerUid] === run.mysql.metadata.uid) return live
  const marks = {
    [annotations.ownerUid]: run.mysql.metadata.uid,
    // Whatever is on it counts as data from the start, also if our server never gets to see it.
    [annotations.initialised]:
      live.metadata.annotations?.[annotations.initialised] ?? run.now().toISOString(),
  }
  run.log.info({ claim: ref.name }, 'took over a claim of a former resource of this name')
  return run.client.patch(
    PersistentVolumeClaim,
    ref,
    { metadata: { uid: live.metadata.uid, annotations: marks } },
    'merge',
  )
}

/** A claim that is on its way out cannot be used: its name is free again only when it is gone. */
const isGoing = (claim: PersistentVolumeClaim) => claim.metadata.deletionTimestamp !== undefined

/**
 * Throws if the API server does not know this MySQL any more. A cache that lags behind would otherwise have objects made
 * for one that is gone, which nobody would ever remove.
 */
const requireAlive = async (run: Run): Promise<void> => {
  const live = await run.client.get(MySQL, at(run, run.mysql.metadata.name))
  if (live?.metadata.uid !== run.mysql.metadata.uid)
    throw new Error('the resource is gone; its last event is on its way')
}

/** What came of it: a claim of that name is on its way out, the pod is about to be replaced, or all is as it should be. */
export type Ensured = { going: string } | 'changed' | 'settled'

/** Brings every object into being, in an order in which nothing waits for a later one. */
export const ensureObjects = async (run: Run): Promise<Ensured> => {
  const { caches, mysql } = run
  const { name, namespace = '' } = mysql.metadata
  const live = {
    data: caches.claims.get(namespace, names.data(name)),
    backups: caches.claims.get(namespace, names.backups(name)),
    config: caches.configs.get(namespace, names.config(name)),
    service: caches.services.get(namespace, names.service(name)),
    pods: caches.services.get(namespace, names.pods(name)),
    policy: caches.policies.get(namespace, names.networkPolicy(name)),
    workload: caches.workloads.get(namespace, names.workload(name)),
  }
  if (Object.values(live).includes(undefined)) await requireAlive(run)
  const data = await ensureClaim(run, dataClaim(mysql), live.data)
  const backups = await ensureClaim(run, backupClaim(mysql), live.backups)
  const going = [data, backups].find(isGoing)
  if (going) return { going: going.metadata.name }
  const accountUid = await operatorAccountUid(run)
  await ensureObject(run, ConfigMap, configMap(mysql), live.config)
  await ensureObject(run, Service, clientService(mysql), live.service)
  await ensureObject(run, Service, podsService(mysql), live.pods)
  await ensureObject(run, NetworkPolicy, networkPolicy(mysql), live.policy)
  const claimUid = data.metadata.uid ?? ''
  const stopped = !wantsServer(observe(caches, mysql))
  const workload = statefulSet(mysql, { claimUid, accountUid, stopped })
  const done = await ensureObject(run, StatefulSet, workload, live.workload)
  return done === 'unchanged' ? 'settled' : 'changed'
}
