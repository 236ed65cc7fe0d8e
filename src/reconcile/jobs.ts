import type { MySQL } from '../api/mysql.ts'
import { type Account, accounts, annotations } from '../api/names.ts'
import type { CredentialNames } from '../desired/jobs/job.ts'
import { failureOf } from '../desired/results.ts'
import type { Job, Pod } from '../kube/kinds.ts'

/** What there is to know of one of our Jobs, read from the Job and its pods. */
export interface JobFact {
  state: 'running' | 'succeeded' | 'failed' | 'deleting'
  uid: string
  /** uid of the MySQL that the Job was made for: a former one's Job says nothing about this one. */
  ownerUid: string | undefined
  /** The data claim that the Job was made for. */
  claimUid: string | undefined
  /** Of the spec that the Job was made from. */
  generation: number | undefined
  credentials: CredentialNames
  /** Accounts whose password before it lets stay valid. */
  keepsOld: readonly Account[]
  /** It changes nothing, and tells what differs. */
  onlyCompares: boolean
  /** The request for a reconcile that it answers, if any. */
  requestedAt: string | undefined
  /** Of a dump: the time of the schedule, and the request, that it was made for. */
  scheduledFor: string | undefined
  requestedBy: string | undefined
  /** Of a dump: the image before whose start it was made. */
  beforeUpgradeTo: string | undefined
  /** Of a verification: the dump that it is about. */
  verifies: string | undefined
  /** A dump after which the server takes no writes, made at the deletion. */
  isLastDump: boolean
  startedAt: string
  /** When it succeeded or failed; undefined while it runs. */
  finishedAt: string | undefined
  /** It failed because it took longer than it may. */
  timedOut: boolean
  /** What its script wrote into the termination log, unparsed. */
  report: string | undefined
  /** Any of its containers has run. */
  started: boolean
  /** Why its pod cannot start, such as an image that does not exist. */
  stuck: string | undefined
  /** Why no node takes its pod; often true for a moment, while a volume is made. */
  unschedulable: string | undefined
}

const credentialsOf = (job: Job): CredentialNames =>
  Object.fromEntries(
    (job.metadata.annotations?.[annotations.credentials] ?? '')
      .split(',')
      .map((pair) => pair.split('='))
      .filter(([account, secret]) => accounts.includes(account as Account) && secret),
  )

const terminations = (pod: Pod) =>
  (pod.status?.containerStatuses ?? []).flatMap(({ state }) => (state?.terminated ? [state.terminated] : []))

/** The newest report among the Job's pods. */
const reportOf = (pods: readonly Pod[]): string | undefined =>
  pods
    .flatMap(terminations)
    .sort((a, b) => (a.finishedAt ?? '').localeCompare(b.finishedAt ?? ''))
    .at(-1)?.message

const fatalWaits = [
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'CreateContainerConfigError',
  'CreateContainerError',
  'CrashLoopBackOff',
]

/** Longest part of a kubelet's text that is passed on: it goes into a column of `kubectl get`. */
const longestText = 200

const statusesOf = (pod: Pod) => [
  ...(pod.status?.initContainerStatuses ?? []),
  ...(pod.status?.containerStatuses ?? []),
]

/** Why a container of the pod cannot start: what its script said, or the kubelet's words; undefined while nothing is wrong. */
export const startProblem = (pod: Pod): string | undefined => {
  const status = statusesOf(pod).find(({ state }) => fatalWaits.includes(state?.waiting?.reason ?? ''))
  if (!status) return undefined
  const said = failureOf(status.lastState?.terminated?.message ?? '')
  const text = said ?? status.state?.waiting?.message ?? 'see the events of the pod'
  const short = text.length > longestText ? `${text.slice(0, longestText)}…` : text
  return `${status.state?.waiting?.reason}: ${short}`
}

/** Why no node takes the pod, in the scheduler's words. */
export const schedulingProblem = (pod: Pod): string | undefined => {
  const scheduled = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled')
  return scheduled?.status === 'False' ? `${scheduled.reason}: ${scheduled.message ?? ''}` : undefined
}

/** True once any container of the pod has run, however it ended. */
export const hasStarted = (pod: Pod): boolean =>
  statusesOf(pod).some(
    ({ containerID, lastState }) => containerID !== undefined || lastState?.terminated !== undefined,
  )

const conditionOf = (job: Job, type: string) =>
  job.status?.conditions?.find((condition) => condition.type === type && condition.status === 'True')

/** A Job has failed only with the condition Failed: single pods may fail before it succeeds. */
export const jobFact = (job: Job | undefined, pods: readonly Pod[]): JobFact | undefined => {
  if (!job) return undefined
  const own = pods.filter((pod) => pod.metadata.ownerReferences?.some(({ uid }) => uid === job.metadata.uid))
  const complete = conditionOf(job, 'Complete')
  const failed = conditionOf(job, 'Failed')
  return {
    state: job.metadata.deletionTimestamp
      ? 'deleting'
      : complete
        ? 'succeeded'
        : failed
          ? 'failed'
          : 'running',
    uid: job.metadata.uid ?? '',
    ownerUid: job.metadata.annotations?.[annotations.ownerUid],
    claimUid: job.metadata.annotations?.[annotations.claimUid],
    generation: Number(job.metadata.annotations?.[annotations.generation]) || undefined,
    credentials: credentialsOf(job),
    keepsOld: accounts.filter((account) =>
      job.metadata.annotations?.[annotations.keepsOld]?.split(',').includes(account),
    ),
    onlyCompares: job.metadata.annotations?.[annotations.onlyCompares] === 'yes',
    requestedAt: job.metadata.annotations?.[annotations.requestedAt],
    scheduledFor: job.metadata.annotations?.[annotations.scheduledFor],
    requestedBy: job.metadata.annotations?.[annotations.requestedBy],
    beforeUpgradeTo: job.metadata.annotations?.[annotations.beforeUpgradeTo],
    verifies: job.metadata.annotations?.[annotations.verifies],
    isLastDump: job.metadata.annotations?.[annotations.lastDump] !== undefined,
    startedAt: job.metadata.creationTimestamp ?? '',
    finishedAt: (complete ?? failed)?.lastTransitionTime,
    timedOut: failed?.reason === 'DeadlineExceeded',
    report: reportOf(own),
    started: own.some(hasStarted),
    stuck: own.map(startProblem).find((problem) => problem !== undefined),
    unschedulable: own.map(schedulingProblem).find((problem) => problem !== undefined),
  }
}

/** How long a Job's report may come after its success, in milliseconds: the two arrive by different watches. */
export const reportWithinMs = 30_000

/** Milliseconds that are left for the report of a Job that has ended; undefined where none is waited for. */
export const reportDueMs = (job: JobFact, now: Date): number | undefined =>
  job.state === 'succeeded' && job.report === undefined
    ? reportWithinMs - (now.getTime() - Date.parse(job.finishedAt ?? job.startedAt))
    : undefined

/** Its report is still on its way. */
export const isUnread = (job: JobFact, now: Date): boolean => (reportDueMs(job, now) ?? 0) > 0

/** A Job cannot be changed: one that has not started is of no use any more once the spec that it was made from has changed. */
export const isHopeless = ({ metadata }: MySQL, job: JobFact): boolean =>
  job.state === 'running' && !job.started && job.generation !== metadata.generation

/** What a Job's script said went wrong, or a hint where to look. */
export const jobProblem = ({ report }: JobFact, name: string): string =>
  (report === undefined ? undefined : failureOf(report)) ?? `see \`kubectl logs job/${name}\``

/** Milliseconds to wait before a failed Job is tried again; failing Jobs have tried several times themselves. */
const retryAfterMs = 30_000

/** Milliseconds until `afterMs` have passed since a Job ended, such as until it may be tried again; 0 or less: now. */
export const overdue = (job: JobFact, now: Date, afterMs = retryAfterMs): number =>
  // Two clocks are compared: however they differ, nobody waits longer than was meant.
  Math.min(afterMs, Date.parse(job.finishedAt ?? job.startedAt) + afterMs - now.getTime())

/** Away with a Job that ended, and only then the next one of the same name: a Job cannot be changed. */
export const replace = <W extends string>(job: JobFact, which: W) =>
  job.state === 'deleting'
    ? ({ do: 'wait' } as const)
    : ({ do: 'removeJob', job: which, uid: job.uid } as const)
