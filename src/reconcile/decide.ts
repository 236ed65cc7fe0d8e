/**
 * What to do next for a living MySQL: one step at most, chosen from one snapshot. Nothing here reads or writes; that the
 * steps come in this order, and that each may be repeated, is what makes a crash at any line harmless.
 */
import { type Account, accounts } from '../api/names.ts'
import type { CredentialNames } from '../desired/jobs/job.ts'
import { restoreResult } from '../desired/results.ts'
import type { Wanted } from './credentials.ts'
import { isHopeless, type JobFact } from './jobs.ts'
import { claimMarks, type Observed } from './observe.ts'

export type Plan =
  /** Note on the claim that there is data on it from now on: a deletion asks for a last dump. */
  | { do: 'markInitialised' }
  /** Start the Job that fills an empty database and puts the accounts in place. */
  | { do: 'restore'; credentials: CredentialNames }
  /** Note on the claim what the database was made from. */
  | { do: 'markRestored'; from: string }
  /** Start the Job that puts other hashes in force. */
  | { do: 'changePasswords'; credentials: CredentialNames }
  /** Remove a Job that stands in the way of the next one of its name. */
  | { do: 'removeJob'; job: 'restore' | 'password'; uid: string; forget?: string[] }
  /** Hash Secrets that nothing needs any more. */
  | { do: 'forgetCredentials'; secretNames: string[] }
  | { do: 'wait'; forMs?: number }

export interface Credentials {
  wanted: Record<Account, Wanted>
  /** Which hash Secret's password the server has now, as far as it is known. */
  inForce: Partial<Record<Account, { secretName: string; changedAt: string }>>
}

/** A Job that speaks for this MySQL and this claim. */
const isCurrent = (o: Observed, job: JobFact | undefined): job is JobFact =>
  job !== undefined && job.ownerUid === o.mysql.metadata.uid && job.claimUid === o.dataClaim?.metadata.uid

/** What the server has: the status says so, unless a Job succeeded since it was written. */
export const credentialsInForce = (o: Observed): Credentials['inForce'] => {
  const inForce = { ...o.mysql.status?.credentials }
  const jobs = [o.restore, o.password].filter((job) => isCurrent(o, job) && job.state === 'succeeded')
  for (const job of jobs) {
    for (const account of accounts) {
      const secretName = job?.credentials[account]
      const changedAt = job?.finishedAt ?? ''
      if (secretName !== undefined && changedAt > (inForce[account]?.changedAt ?? '')) {
        inForce[account] = { secretName, changedAt }
      }
    }
  }
  return inForce
}

const initialised = (o: Observed): Plan | undefined =>
  o.pod?.initialised && o.dataClaim && claimMarks(o.dataClaim).initialised === undefined
    ? { do: 'markInitialised' }
    : undefined

/** The names of all wanted hashes; undefined while one of them is still waited for. */
const wantedNames = ({ wanted }: Credentials): CredentialNames | undefined => {
  if (accounts.some((account) => wanted[account].state === 'waiting')) return undefined
  return Object.fromEntries(
    accounts.flatMap((account) => {
      const want = wanted[account]
      return want.state === 'ready' ? [[account, want.secretName]] : []
    }),
  )
}

/** Milliseconds to wait before a failed Job is tried again; failing Jobs have tried several times themselves. */
const retryAfterMs = 30_000

const overdue = (job: JobFact, now: Date): number =>
  // Two clocks are compared: however they differ, nobody waits longer than was meant.
  Math.min(retryAfterMs, Date.parse(job.finishedAt ?? job.startedAt) + retryAfterMs - now.getTime())

/** How long a Job's report may come after its success, in milliseconds: the two arrive by different watches. */
const reportWithinMs = 30_000

const isUnread = (job: JobFact, now: Date): boolean =>
  job.report === undefined && now.getTime() - Date.parse(job.finishedAt ?? job.startedAt) < reportWithinMs

/** Away with a Job that ended, and only then the next one of the same name: a Job cannot be changed. */
const replace = (job: JobFact, which: 'restore' | 'password'): Plan =>
  job.state === 'deleting' ? { do: 'wait' } : { do: 'removeJob', job: which, uid: job.uid }

/** The dump's file name, or `none`. */
const restoredFrom = ({ report }: JobFact): string =>
  (report === undefined ? undefined : restoreResult(report)?.from) ?? 'none'

const restored = (o: Observed, c: Credentials, now: Date): Plan | undefined => {
  // Made a moment ago, and not in the cache yet: every Job is made for one claim and no other.
  if (!o.dataClaim) return { do: 'wait' }
  if (claimMarks(o.dataClaim).restoredFrom !== undefined) return undefined
  const credentials = wantedNames(c)
  if (!o.restore) return credentials ? { do: 'restore', credentials } : { do: 'wait' }
  if (!isCurrent(o, o.restore)) return replace(o.restore, 'restore')
  if (o.restore.state === 'succeeded') {
    return isUnread(o.restore, now)
      ? { do: 'wait', forMs: 2_000 }
      : { do: 'markRestored', from: restoredFrom(o.restore) }
  }
  if (isHopeless(o.mysql, o.restore)) return replace(o.restore, 'restore')
  if (o.restore.state !== 'failed') return { do: 'wait' }
  const forMs = overdue(o.restore, now)
  return forMs > 0 ? { do: 'wait', forMs } : replace(o.restore, 'restore')
}

/** Accounts whose wanted hash is not in force. */
export const pendingChanges = ({ wanted, inForce }: Credentials): CredentialNames =>
  Object.fromEntries(
    accounts.flatMap((account) => {
      const want = wanted[account]
      const changed = want.state === 'ready' && want.secretName !== inForce[account]?.secretName
      return changed ? [[account, want.secretName]] : []
    }),
  )

const sameNames = (a: CredentialNames, b: CredentialNames) =>
  accounts.every((account) => a[account] === b[account])

/** Hash Secrets that were in force, or that a Job was to put in force, and that nobody wants any more. */
const superseded = (o: Observed, c: Credentials): string[] => {
  const known = accounts.flatMap((account) => [
    o.mysql.status?.credentials?.[account]?.secretName,
    o.password?.credentials[account],
  ])
  const keep = accounts.flatMap((account) => {
    const want = c.wanted[account]
    return [c.inForce[account]?.secretName, want.state === 'ready' ? want.secretName : undefined]
  })
  return [...new Set(known)].filter((name): name is string => name !== undefined && !keep.includes(name))
}

/** With the Job goes the only note of what it was to put in force. */
const replacePassword = (o: Observed, c: Credentials, job: JobFact): Plan => {
  const plan = replace(job, 'password')
  return plan.do === 'removeJob' ? { ...plan, forget: superseded(o, c) } : plan
}

const passwords = (o: Observed, c: Credentials, now: Date): Plan | undefined => {
  const credentials = pendingChanges(c)
  if (Object.keys(credentials).length === 0) return undefined
  if (!o.password) return { do: 'changePasswords', credentials }
  if (o.password.state === 'running' && isCurrent(o, o.password)) {
    return isHopeless(o.mysql, o.password) ? replacePassword(o, c, o.password) : { do: 'wait' }
  }
  const forMs = overdue(o.password, now)
  const failedAtThis = o.password.state === 'failed' && sameNames(o.password.credentials, credentials)
  return failedAtThis && forMs > 0 ? { do: 'wait', forMs } : replacePassword(o, c, o.password)
}

const outdated = (o: Observed, c: Credentials): Plan | undefined => {
  const secretNames = superseded(o, c)
  const noted = accounts.map((account) => o.mysql.status?.credentials?.[account]?.secretName)
  // What only the Job's note still names has been removed with the change that it names.
  return secretNames.some((name) => noted.includes(name))
    ? { do: 'forgetCredentials', secretNames }
    : undefined
}

/** The next step. */
export const decide = (o: Observed, c: Credentials, now: Date): Plan =>
  initialised(o) ?? restored(o, c, now) ?? passwords(o, c, now) ?? outdated(o, c) ?? { do: 'wait' }
