/** A MySQL that is suspended has no server, and everything that needs one waits: pure. */
import { type Finding, finding } from '../api/conditions.ts'
import { names } from '../api/names.ts'
import { isHopeless } from './jobs.ts'
import { isCurrent, type Observed } from './observe.ts'

export type SuspensionPlan =
  | { do: 'removeJob'; job: 'restore' | 'backup'; uid: string }
  | { do: 'removeJob'; job: 'password'; uid: string; forget: string[] }
  | { do: 'wait' }

/** The Job that is at work in a server that answers: it is let come to its end before the server goes. */
const jobAtWork = (o: Observed): string | undefined => {
  const { name } = o.mysql.metadata
  const jobs = [
    [o.backup, names.backupJob(name)],
    [o.password, names.passwordJob(name)],
  ] as const
  return jobs.find(
    ([job]) => o.pod?.ready && job?.state === 'running' && isCurrent(o, job) && !isHopeless(o.mysql, job),
  )?.[1]
}

/** There shall be a pod: the spec says so, the last dump needs it, or a Job is at work in it. */
export const wantsServer = (o: Observed): boolean =>
  !o.mysql.spec.suspended || o.mysql.metadata.deletionTimestamp !== undefined || jobAtWork(o) !== undefined

/** What to do while it is suspended: Jobs that would wait for a server go. Undefined if it is not. */
export const decideSuspended = (o: Observed): SuspensionPlan | undefined => {
  if (!o.mysql.spec.suspended) return undefined
  if (wantsServer(o)) return { do: 'wait' }
  const { restore, backup, password } = o
  if (restore?.state === 'running') return { do: 'removeJob', job: 'restore', uid: restore.uid }
  if (backup?.state === 'running') return { do: 'removeJob', job: 'backup', uid: backup.uid }
  if (password?.state === 'running')
    return { do: 'removeJob', job: 'password', uid: password.uid, forget: [] }
  return { do: 'wait' }
}

const progressingFinding = (o: Observed, job: string | undefined): Finding => {
  if (job !== undefined)
    return finding('Progressing', 'True', 'Working', `The server is stopped when Job ${job} has ended.`)
  return o.pod
    ? finding('Progressing', 'True', 'Working', 'The server is being stopped.')
    : finding('Progressing', 'False', 'Settled', 'Everything is as the spec says.')
}

/** What the status says in place of how the server and the passwords are. */
export const suspendedFindings = (o: Observed) => {
  const job = jobAtWork(o)
  const why = 'spec.suspended is true: the server is stopped, its data and its dumps stay.'
  const later =
    'No password is changed or compared while spec.suspended is true; what was asked for is put in force afterwards.'
  return {
    ready:
      job === undefined
        ? finding('Ready', 'False', 'Suspended', why)
        : finding('Ready', 'True', 'Serving', 'The server answers.'),
    progressing: progressingFinding(o, job),
    credentials: finding('CredentialsReady', 'Unknown', 'Suspended', later),
  }
}
