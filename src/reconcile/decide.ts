/**
 * What to do next for a living MySQL: one step at most, chosen from one snapshot. Nothing here reads or writes; that the
 * steps come in this order, and that each may be repeated, is what makes a crash at any line harmless.
 */
import { accounts } from '../api/names.ts'
import type { CredentialNames } from '../desired/jobs/job.ts'
import { restoreResult } from '../desired/results.ts'
import { decideBackup, type StartBackup } from './decideBackup.ts'
import { type Credentials, outdated, type PasswordPlan, passwords } from './decidePasswords.ts'
import { decideVerify, makeWay, type VerifyPlan } from './decideVerify.ts'
import { isHopeless, isUnread, type JobFact, overdue, replace } from './jobs.ts'
import { claimMarks, isCurrent, isFilled, type Observed } from './observe.ts'
import { decideSuspended } from './suspension.ts'
import { decideUpgrade, type UpgradePlan } from './upgrade.ts'

export type Plan =
  /** Note on the claim that there is data on it from now on: a deletion asks for a last dump. */
  | { do: 'markInitialised' }
  /** Start the Job that fills an empty database and puts the accounts in place. */
  | { do: 'restore'; credentials: CredentialNames }
  /** Note on the claim what the database was made from. */
  | { do: 'markRestored'; from: string }
  /** Remove a Job that stands in the way of the next one of its name. */
  | { do: 'removeJob'; job: 'restore' | 'backup'; uid: string }
  | StartBackup
  | UpgradePlan
  | VerifyPlan
  | PasswordPlan

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

/** The dump's file name, or `none`; undefined if its report was lost, such as with its pod. */
const restoredFrom = ({ report }: JobFact): string | undefined => {
  const result = report === undefined ? undefined : restoreResult(report)
  return result && (result.from ?? 'none')
}

/** A restore that succeeded says what the database was made from. */
const madeFrom = (o: Observed, now: Date): Plan | undefined => {
  if (!o.dataClaim || isFilled(o)) return undefined
  if (!isCurrent(o, o.restore) || o.restore.state !== 'succeeded') return undefined
  if (isUnread(o.restore, now)) return { do: 'wait', forMs: 2_000 }
  const from = restoredFrom(o.restore)
  // Asked once more, the database itself says what it was made from: nothing is restored twice.
  return from === undefined ? replace(o.restore, 'restore') : { do: 'markRestored', from }
}

/** A verification may keep the backup volume on another node than that of the restore. */
const freed = (o: Observed): Plan | undefined =>
  o.verify && o.dataClaim && !isFilled(o) ? replace(o.verify, 'verify') : undefined

const restored = (o: Observed, c: Credentials, now: Date): Plan | undefined => {
  // Made a moment ago, and not in the cache yet: every Job is made for one claim and no other.
  if (!o.dataClaim) return { do: 'wait' }
  if (isFilled(o)) return undefined
  const credentials = wantedNames(c)
  if (!o.restore) return credentials ? { do: 'restore', credentials } : { do: 'wait' }
  if (!isCurrent(o, o.restore)) return replace(o.restore, 'restore')
  if (isHopeless(o.mysql, o.restore)) return replace(o.restore, 'restore')
  if (o.restore.state !== 'failed') return { do: 'wait' }
  const forMs = overdue(o.restore, now)
  return forMs > 0 ? { do: 'wait', forMs } : replace(o.restore, 'restore')
}

const dump = (o: Observed, now: Date): Plan | undefined => {
  const plan = decideBackup(o, now)
  const first = plan && makeWay(o)
  return first === 'wait' ? undefined : (first ?? plan)
}

/** The next step. */
export const decide = (o: Observed, c: Credentials, now: Date): Plan =>
  initialised(o) ??
  madeFrom(o, now) ??
  decideSuspended(o) ??
  freed(o) ??
  restored(o, c, now) ??
  decideUpgrade(o) ??
  // Before the passwords: a change that fails for days must not keep the dumps waiting, and no dump keeps a change waiting.
  dump(o, now) ??
  passwords(o, c, now) ??
  outdated(o, c) ??
  decideVerify(o, now) ?? { do: 'wait' }
