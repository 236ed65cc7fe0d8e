/** What to do about passwords: which hashes are in force, which shall be, when the ones before end, when to compare. Pure. */
import { type Account, accounts, annotations, isCredentialName } from '../api/names.ts'
import type { MySQLStatus } from '../api/schema.ts'
import type { CredentialNames } from '../desired/jobs/job.ts'
import { passwordResult } from '../desired/results.ts'
import type { Wanted } from './credentials.ts'
import { isHopeless, type JobFact, overdue, replace } from './jobs.ts'
import { isCurrent, type Observed } from './observe.ts'
import { isItsTurn, untilNextTurn } from './turns.ts'

export interface Credentials {
  wanted: Record<Account, Wanted>
  /** Which hash Secret's password the server has now, as far as it is known. */
  inForce: NonNullable<MySQLStatus['credentials']>
}

/** What the password Job shall do. */
interface Work {
  credentials: CredentialNames
  /** Accounts that keep the password before as a second one. */
  keepOld: Account[]
  /** Change nothing, and tell what differs. */
  onlyCompare: boolean
}

export type PasswordPlan =
  /** Start the Job that puts hashes in force, ends the passwords before, or compares. */
  | ({ do: 'changePasswords' } & Work)
  | { do: 'removeJob'; job: 'password'; uid: string; forget: string[] }
  /** Hash Secrets that nothing needs any more. */
  | { do: 'forgetCredentials'; secretNames: string[] }
  | { do: 'wait'; forMs?: number }

const keys = (credentials: object) => Object.keys(credentials) as Account[]

const graceMs = ({ mysql }: Observed) => (mysql.spec.passwordGraceSeconds ?? 0) * 1000

type InForce = NonNullable<Credentials['inForce'][Account]>

const later = (time: string, ms: number) =>
  new Date(Date.parse(time) + ms).toISOString().replace('.000Z', 'Z')

/** The Job left the account a second password. Its report has the last word, and comes later than its success, or never. */
const keptOld = (job: JobFact, account: Account): boolean => {
  const report = job.report === undefined ? undefined : passwordResult(job.report)
  return (
    job.keepsOld.includes(account) && report?.accounts.find((one) => one.account === account)?.old !== false
  )
}

/** What an account has after a Job that succeeded; as before, if it was not about it or is older. */
const after = (o: Observed, job: JobFact, account: Account, before: InForce | undefined) => {
  const secretName = job.credentials[account]
  const finishedAt = job.finishedAt ?? ''
  if (secretName === undefined || job.onlyCompares || finishedAt < (before?.changedAt ?? '')) return before
  // The Job that ends a grace period names the hash that is in force already.
  const changedAt = before?.secretName === secretName ? before.changedAt : finishedAt
  const old = keptOld(job, account) ? { oldPasswordUntil: later(changedAt, graceMs(o)) } : {}
  return { secretName, changedAt, ...old }
}

/** How long the password before works is counted anew, so that another grace period applies to a change that was made. */
const recounted = (o: Observed, noted: InForce | undefined): InForce | undefined =>
  noted?.oldPasswordUntil === undefined
    ? noted
    : { ...noted, oldPasswordUntil: later(noted.changedAt, graceMs(o)) }

/**
 * What the server has: the status says so, unless a Job succeeded since it was written. A name that is not of a hash Secret
 * of this MySQL was not written by the operator: who may write a status must not have any Secret mounted.
 */
export const credentialsInForce = (o: Observed): Credentials['inForce'] => {
  const isOwn = (account: Account, { secretName }: InForce) =>
    isCredentialName(secretName, o.mysql.metadata.name, account)
  const jobs = [o.restore, o.password].filter((job) => isCurrent(o, job) && job.state === 'succeeded')
  const found = accounts.map((account) => {
    const noted = recounted(o, o.mysql.status?.credentials?.[account])
    const inForce = jobs.reduce((before, job) => (job ? after(o, job, account, before) : before), noted)
    return inForce && isOwn(account, inForce) ? { [account]: inForce } : {}
  })
  return Object.assign({}, ...found)
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

/** Accounts whose password before still works and should not any more, with the hash that stays. */
export const overdueEnds = ({ inForce }: Credentials, now: Date): CredentialNames =>
  Object.fromEntries(
    accounts.flatMap((account) => {
      const { secretName, oldPasswordUntil } = inForce[account] ?? {}
      const over = oldPasswordUntil !== undefined && Date.parse(oldPasswordUntil) <= now.getTime()
      return over ? [[account, secretName]] : []
    }),
  )

/** When the server's hashes were last seen, in milliseconds; only what has not been for a while is worth a Job. */
const lastSeen = (o: Observed, { inForce }: Credentials): number => {
  const times = [
    ...[o.restore, o.password].flatMap((job) => (isCurrent(o, job) ? [job.finishedAt] : [])),
    ...accounts.map((account) => inForce[account]?.changedAt),
  ]
  return Math.max(...times.map((time) => Date.parse(time ?? '') || 0))
}

/** Somebody asked for a reconcile, and no Job has looked since. */
const isAsked = ({ mysql, password }: Observed): boolean => {
  const requestedAt = mysql.metadata.annotations?.[annotations.requestedAt]
  return requestedAt !== undefined && requestedAt !== password?.requestedAt
}

export const isDrifted = ({ mysql }: Observed): boolean =>
  mysql.status?.conditions?.find(({ type }) => type === 'CredentialsReady')?.reason === 'Drifted'

/** Compare now and then. What was found to differ is left alone until somebody asks. */
const comparison = (o: Observed, c: Credentials, now: Date): Work | undefined => {
  const credentials = Object.fromEntries(
    keys(c.inForce).map((account) => [account, c.inForce[account]?.secretName]),
  )
  // Not while the server is away: the Job would only wait for it.
  if (!o.pod?.ready || keys(credentials).length === 0) return undefined
  if (isAsked(o)) return { credentials, keepOld: [], onlyCompare: !isDrifted(o) }
  return isItsTurn(o.mysql.metadata.uid ?? '', lastSeen(o, c), now)
    ? { credentials, keepOld: [], onlyCompare: true }
    : undefined
}

const nextWork = (o: Observed, c: Credentials, now: Date): Work | undefined => {
  const pending = pendingChanges(c)
  const credentials = { ...overdueEnds(c, now), ...pending }
  if (keys(credentials).length === 0) return comparison(o, c, now)
  return { credentials, keepOld: graceMs(o) > 0 ? keys(pending) : [], onlyCompare: false }
}

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
const replacePassword = (o: Observed, c: Credentials, job: JobFact): PasswordPlan => {
  const plan = replace(job, 'password')
  return plan.do === 'removeJob' ? { ...plan, forget: superseded(o, c) } : plan
}

/** The Job's next step, if there is anything for it to do. */
export const passwords = (o: Observed, c: Credentials, now: Date): PasswordPlan | undefined => {
  const work = nextWork(o, c, now)
  if (!work) return undefined
  const job = o.password
  if (!job) return { do: 'changePasswords', ...work }
  if (job.state === 'running' && isCurrent(o, job)) {
    // A comparison can be ended at any line, and a change is not kept waiting by one.
    const makesWay = isHopeless(o.mysql, job) || (job.onlyCompares && !work.onlyCompare)
    return makesWay ? replacePassword(o, c, job) : { do: 'wait' }
  }
  const forMs = overdue(job, now)
  const failedAtThis =
    job.state === 'failed' && !job.onlyCompares && sameNames(job.credentials, work.credentials)
  return failedAtThis && forMs > 0 ? { do: 'wait', forMs } : replacePassword(o, c, job)
}

/** Hash Secrets that went out of force. */
export const outdated = (o: Observed, c: Credentials): PasswordPlan | undefined => {
  const secretNames = superseded(o, c)
  const noted = accounts.map((account) => o.mysql.status?.credentials?.[account]?.secretName)
  // What only the Job's note still names has been removed with the change that it names.
  return secretNames.some((name) => noted.includes(name))
    ? { do: 'forgetCredentials', secretNames }
    : undefined
}

/** Milliseconds until a password ends or a comparison is due, which no event tells of. */
export const nextPasswordLook = (o: Observed, c: Credentials, now: Date): number[] => {
  const ends = accounts.map((account) => Date.parse(c.inForce[account]?.oldPasswordUntil ?? ''))
  const waits = ends.map((time) => time - now.getTime()).filter((ms) => ms > 0)
  return [...waits, untilNextTurn(o.mysql.metadata.uid ?? '', lastSeen(o, c), now)]
}
