/** What the status says about the passwords. */
import { type Finding, finding } from '../api/conditions.ts'
import type { MySQL } from '../api/mysql.ts'
import { type Account, accounts, names } from '../api/names.ts'
import { passwordResult } from '../desired/results.ts'
import { type Credentials, isDrifted, overdueEnds, pendingChanges } from './decidePasswords.ts'
import { jobProblem } from './jobs.ts'
import { isCurrent, isFilled, type Observed } from './observe.ts'

/** What people call an account. */
export const accountName = ({ spec }: MySQL, account: Account): string =>
  account === 'user' ? spec.user : account

/** What is waited for, one line a Secret. */
export const waits = (c: Credentials): string[] =>
  accounts.flatMap((account) => {
    const want = c.wanted[account]
    return want.state === 'waiting' ? [want.why] : []
  })

const says = (status: Finding['status'], reason: Finding<'CredentialsReady'>['reason'], message: string) =>
  finding('CredentialsReady', status, reason, message)

/** What the last Job found; undefined before it succeeded and has told. */
const resultOf = (o: Observed) =>
  isCurrent(o, o.password) && o.password.state === 'succeeded' && o.password.report !== undefined
    ? passwordResult(o.password.report)?.accounts
    : undefined

/** Somebody asked for the resource's password to be put back, and it could not be. Nobody knows what is in force now. */
const notPutBack = (o: Observed): Finding | undefined => {
  const job = o.password
  if (!isDrifted(o) || !isCurrent(o, job) || job.state !== 'failed' || job.onlyCompares) return undefined
  const why = jobProblem(job, names.passwordJob(o.mysql.metadata.name))
  return says(
    'False',
    'Drifted',
    `The password of the resource could not be put back in force: ${why}. Request a reconcile to try again.`,
  )
}

const drifted = (o: Observed): Finding | undefined => {
  const failed = notPutBack(o)
  if (failed) return failed
  const result = resultOf(o)
  const before = o.mysql.status?.conditions?.find(({ type }) => type === 'CredentialsReady')
  // It stays so until a Job says otherwise: between two of them there is no news.
  if (!result) return before && isDrifted(o) ? says('False', 'Drifted', before.message) : undefined
  const others = result.filter(({ was }) => was === 'drifted')
  if (others.length === 0) return undefined
  const who = others.map(({ account }) => accountName(o.mysql, account)).join(' and ')
  return says(
    'False',
    'Drifted',
    `Somebody changed the password of ${who} with SQL; it is left alone. ` +
      'Give the resource another password, or request a reconcile to put its own back in force.',
  )
}

/** While a password before works as well: whose, and until when. */
const graces = (o: Observed, { inForce }: Credentials): string[] =>
  accounts.flatMap((account) => {
    const until = inForce[account]?.oldPasswordUntil
    return until === undefined
      ? []
      : [`The password of ${accountName(o.mysql, account)} before it works as well until ${until}.`]
  })

const unfinished = (o: Observed, c: Credentials, now: Date): Finding | undefined => {
  const job = names.passwordJob(o.mysql.metadata.name)
  const pending = Object.keys(pendingChanges(c))
  const due = [...pending, ...Object.keys(overdueEnds(c, now))]
  if (due.length > 0 && o.password?.state === 'failed' && !o.password.onlyCompares) {
    return says(
      'False',
      'Failed',
      `Job ${job} failed and will be tried again: ${jobProblem(o.password, job)}`,
    )
  }
  if (pending.length === 0) return undefined
  return isFilled(o)
    ? says('False', 'Changing', `Job ${job} puts the new password of ${pending.join(' and ')} in force.`)
    : says('False', 'Pending', 'The accounts are made when the database is filled.')
}

export const credentialsFinding = (o: Observed, c: Credentials, now: Date): Finding => {
  const waiting = waits(c)
  if (waiting.length > 0) return says('False', 'Waiting', waiting.join('; '))
  const other = unfinished(o, c, now) ?? drifted(o)
  if (other) return other
  const made = resultOf(o)?.find(({ was }) => was === 'new')
  if (made) {
    const who = accountName(o.mysql, made.account)
    return says(
      'True',
      'Skipped',
      `There was no password of ${who} to change: the account was made with the one given.`,
    )
  }
  return says(
    'True',
    'InForce',
    ['Every password that was asked for is in force.', ...graces(o, c)].join(' '),
  )
}
