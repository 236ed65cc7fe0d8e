import type { Condition } from '../api/conditions.ts'
import { type Account, accounts } from '../api/names.ts'
import type { MySQLStatus } from '../api/schema.ts'
import { type EventType, events } from '../kube/events.ts'

/** Which event tells of a condition that has just turned to this status and reason; what is not listed tells nothing. */
const table: Record<string, EventType> = {
  'Ready False Suspended': events.Suspended,
  'Restored True FromBackup': events.Restored,
  'Restored True NoBackup': events.Created,
  'Restored True NotWanted': events.Created,
  'Restored False Failed': events.RestoreFailed,
  'CredentialsReady True InForce': events.PasswordChanged,
  'CredentialsReady True Skipped': events.PasswordChangeSkipped,
  'CredentialsReady False Failed': events.PasswordChangeFailed,
  'CredentialsReady False Drifted': events.PasswordDrifted,
  'CredentialsReady False Waiting': events.WaitingForSecret,
  'Degraded True NameTaken': events.NameTaken,
  'Degraded True Invalid': events.Invalid,
  'Degraded True ImageError': events.ImageError,
  'BackedUp True Succeeded': events.BackupSucceeded,
  'BackedUp True BackupIncomplete': events.BackupSucceeded,
  'BackedUp False Failed': events.BackupFailed,
  'UpgradeBlocked True BackupFailed': events.UpgradeBlocked,
  'UpgradeBlocked True Stuck': events.UpgradeBlocked,
  'BackupVerified True Verified': events.BackupVerified,
  'BackupVerified False Bad': events.BackupBad,
  'BackupVerified Unknown Failed': events.VerificationFailed,
  'BackupVerified Unknown Waiting': events.VerificationFailed,
  'DeletionBlocked True BackupFailed': events.DeletionBlocked,
  'DeletionBlocked True Stuck': events.DeletionBlocked,
}

/** Each dump and verification is news, also where the one before ended alike: the message names the file or the time. */
const isAnotherRun = (now: Condition, before: Condition) =>
  ['BackedUp', 'BackupVerified'].includes(now.type) &&
  now.reason !== 'Waiting' &&
  now.message !== before.message

/**
 * The event for a condition that turned, if any. Passwords that are in force from the start are no change: only what
 * was `Changing` before, or failed to, has changed.
 */
export const eventFor = (now: Condition, before: Condition | undefined): EventType | undefined => {
  if (before?.status === now.status && before.reason === now.reason && !isAnotherRun(now, before))
    return undefined
  const event = table[`${now.type} ${now.status} ${now.reason}`]
  const first = !['Changing', 'Failed', 'Drifted'].includes(before?.reason ?? '')
  return event === events.PasswordChanged && first ? undefined : event
}

/** Accounts whose grace period has come to its end: the same password is in force, and the one before is not any more. */
export const endedGrace = (now: MySQLStatus, before: MySQLStatus | undefined): Account[] =>
  accounts.filter((account) => {
    const [is, was] = [now.credentials?.[account], before?.credentials?.[account]]
    const same = is?.secretName === was?.secretName
    return same && was?.oldPasswordUntil !== undefined && is?.oldPasswordUntil === undefined
  })
