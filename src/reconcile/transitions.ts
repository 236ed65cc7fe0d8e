import type { Condition } from '../api/conditions.ts'
import { type EventType, events } from '../kube/events.ts'

/** Which event tells of a condition that has just turned to this status and reason; what is not listed tells nothing. */
const table: Record<string, EventType> = {
  'Restored True FromBackup': events.Restored,
  'Restored True NoBackup': events.Created,
  'Restored True NotWanted': events.Created,
  'Restored False Failed': events.RestoreFailed,
  'CredentialsReady True InForce': events.PasswordChanged,
  'CredentialsReady True Skipped': events.PasswordChangeSkipped,
  'CredentialsReady False Failed': events.PasswordChangeFailed,
  'CredentialsReady False Waiting': events.WaitingForSecret,
  'Degraded True NameTaken': events.NameTaken,
  'Degraded True Invalid': events.Invalid,
  'Degraded True ImageError': events.ImageError,
  'BackedUp True Succeeded': events.BackupSucceeded,
  'BackedUp True BackupIncomplete': events.BackupSucceeded,
  'BackedUp False Failed': events.BackupFailed,
  'DeletionBlocked True BackupFailed': events.DeletionBlocked,
  'DeletionBlocked True Stuck': events.DeletionBlocked,
}

/**
 * The event for a condition that turned, if any. Passwords that are in force from the start are no change: only what
 * was `Changing` before, or failed to, has changed.
 */
export const eventFor = (now: Condition, before: Condition | undefined): EventType | undefined => {
  if (before?.status === now.status && before.reason === now.reason) return undefined
  const event = table[`${now.type} ${now.status} ${now.reason}`]
  const first = before?.reason !== 'Changing' && before?.reason !== 'Failed'
  return event === events.PasswordChanged && first ? undefined : event
}
