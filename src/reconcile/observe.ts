import type { MySQL } from '../api/mysql.ts'
import { annotations, names } from '../api/names.ts'
import { initResult } from '../desired/results.ts'
import type { PersistentVolumeClaim, Pod, StatefulSet } from '../kube/kinds.ts'
import type { Caches } from './caches.ts'
import { hasStarted, type JobFact, jobFact, schedulingProblem, startProblem } from './jobs.ts'

/** One snapshot of what there is of one MySQL; every decision is made from it and from nothing else. */
export interface Observed {
  mysql: MySQL
  dataClaim: PersistentVolumeClaim | undefined
  workload: StatefulSet | undefined
  pod: PodFact | undefined
  /** The pod is the one that the spec asks for. */
  rolledOut: boolean
  restore: JobFact | undefined
  password: JobFact | undefined
  backup: JobFact | undefined
  verify: JobFact | undefined
}

export interface PodFact {
  ready: boolean
  /** The init container has come to its end: the claim has data. */
  initialised: boolean
  /** The init container has run, however it ended; false is the proof that this pod wrote nothing. */
  everStarted: boolean
  /** Of the server, as its own binary said at start. */
  version: string | undefined
  /** Why it cannot start, in the kubelet's words. */
  stuck: string | undefined
  /** Why no node takes it, in the scheduler's words; often true for a moment, while a volume is made. */
  unschedulable: string | undefined
}

const podFact = (pod: Pod | undefined): PodFact | undefined => {
  if (!pod) return undefined
  const init = pod.status?.initContainerStatuses?.[0]
  const report = init?.state?.terminated?.message
  return {
    ready:
      !pod.metadata.deletionTimestamp &&
      (pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false),
    initialised: init?.state?.terminated?.exitCode === 0,
    everStarted: hasStarted(pod),
    version: report === undefined ? undefined : initResult(report)?.version,
    stuck: startProblem(pod),
    unschedulable: schedulingProblem(pod),
  }
}

/** The pod is of the template that the StatefulSet has now; an image that was just changed has not arrived before. */
const isRolledOut = (workload: StatefulSet | undefined, pod: Pod | undefined): boolean =>
  workload !== undefined &&
  workload.status?.observedGeneration === workload.metadata.generation &&
  pod?.metadata.labels?.['controller-revision-hash'] === workload.status?.updateRevision

/** Reads everything about `mysql` from the caches. */
export const observe = (caches: Caches, mysql: MySQL): Observed => {
  const { name, namespace = '' } = mysql.metadata
  const pods = caches.podsOf(namespace, name)
  const workload = caches.workloads.get(namespace, names.workload(name))
  const pod = pods.find(({ metadata }) => metadata.name === names.pod(name))
  const job = (jobName: string) => jobFact(caches.jobs.get(namespace, jobName), pods)
  return {
    mysql,
    dataClaim: caches.claims.get(namespace, names.data(name)),
    workload,
    pod: podFact(pod),
    rolledOut: isRolledOut(workload, pod),
    restore: job(names.restoreJob(name)),
    password: job(names.passwordJob(name)),
    backup: job(names.backupJob(name)),
    verify: job(names.verifyJob(name)),
  }
}

/** A Job that speaks for this MySQL and this claim. */
export const isCurrent = (o: Observed, job: JobFact | undefined): job is JobFact =>
  job !== undefined && job.ownerUid === o.mysql.metadata.uid && job.claimUid === o.dataClaim?.metadata.uid

/**
 * When the claim was seen to have been initialised, what it was restored from (`none`: nothing), whose deletion found
 * that it never had data, which image has served it, and the dump that an upgrade under way began with.
 */
export const claimMarks = (claim: PersistentVolumeClaim | undefined) => ({
  initialised: claim?.metadata.annotations?.[annotations.initialised],
  restoredFrom: claim?.metadata.annotations?.[annotations.restoredFrom],
  nothingToDump: claim?.metadata.annotations?.[annotations.nothingToDump],
  serverImage: claim?.metadata.annotations?.[annotations.serverImage],
  upgradeDump: claim?.metadata.annotations?.[annotations.upgradeDump],
})

/** It is noted what the database was made from: there is something to dump, and clients are let in. */
export const isFilled = ({ dataClaim }: Observed): boolean => claimMarks(dataClaim).restoredFrom !== undefined
