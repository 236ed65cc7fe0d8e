import { createHash } from 'node:crypto'
import { manager } from '../api/names.ts'
import type { TypedResource } from '../api/resource.ts'
import type { Client } from './client.ts'
import { type Clock, microTime, systemClock } from './clock.ts'
import { alreadyExists } from './errors.ts'
import { Event } from './kinds.ts'

/** What an Event says in one word, how it is meant, and what was being done. */
export interface EventType {
  readonly reason: string
  readonly type: 'Normal' | 'Warning'
  /** What the operator did or tried. */
  readonly action: string
}

/** Every Event that the operator writes. A new one is a new line. */
export const events = {
  Created: { reason: 'Created', type: 'Normal', action: 'Create' },
  Restored: { reason: 'Restored', type: 'Normal', action: 'Restore' },
  RestoreFailed: { reason: 'RestoreFailed', type: 'Warning', action: 'Restore' },
  PasswordChanged: { reason: 'PasswordChanged', type: 'Normal', action: 'ChangePassword' },
  PasswordChangeSkipped: { reason: 'PasswordChangeSkipped', type: 'Normal', action: 'ChangePassword' },
  PasswordChangeFailed: { reason: 'PasswordChangeFailed', type: 'Warning', action: 'ChangePassword' },
  OldPasswordEnded: { reason: 'OldPasswordEnded', type: 'Normal', action: 'ChangePassword' },
  PasswordDrifted: { reason: 'PasswordDrifted', type: 'Warning', action: 'ComparePassword' },
  BackupSucceeded: { reason: 'BackupSucceeded', type: 'Normal', action: 'Backup' },
  BackupFailed: { reason: 'BackupFailed', type: 'Warning', action: 'Backup' },
  Suspended: { reason: 'Suspended', type: 'Normal', action: 'Stop' },
  UpgradeBlocked: { reason: 'UpgradeBlocked', type: 'Warning', action: 'Upgrade' },
  BackupVerified: { reason: 'BackupVerified', type: 'Normal', action: 'Verify' },
  BackupBad: { reason: 'BackupBad', type: 'Warning', action: 'Verify' },
  VerificationFailed: { reason: 'VerificationFailed', type: 'Warning', action: 'Verify' },
  DeletionBlocked: { reason: 'DeletionBlocked', type: 'Warning', action: 'Delete' },
  NameTaken: { reason: 'NameTaken', type: 'Warning', action: 'Create' },
  Invalid: { reason: 'Invalid', type: 'Warning', action: 'Check' },
  WaitingForSecret: { reason: 'WaitingForSecret', type: 'Warning', action: 'ReadSecret' },
  ImageError: { reason: 'ImageError', type: 'Warning', action: 'Start' },
} as const satisfies Record<string, EventType>

/** Writes an Event about an object. Never throws: an Event is told, not relied upon. */
export type Recorder = (object: TypedResource, event: EventType, note: string) => Promise<void>

export interface RecorderOptions {
  /** Which replica speaks: the pod's name. */
  instance: string
  /** Hears of Events that could not be written. */
  onError?: (error: unknown, event: EventType) => void
  clock?: Clock
}

/** The same Event about the same object counts as one for so long, in milliseconds. */
const window = 10 * 60_000
/** Within the window its count is written no more often than this, in milliseconds. */
const seriesInterval = 60_000
/** The server's limit for a note is 1024 bytes. */
const longestNote = 1024

/** A recorder that writes through `client`. */
export const createRecorder =
  (client: Client, options: RecorderOptions): Recorder =>
  async (object, event, note) => {
    try {
      await emit(client, options, object, event, note)
    } catch (error) {
      options.onError?.(error, event)
    }
  }

/**
 * The name is made from what makes Events equal, so that a repetition meets its predecessor without a memory of ours,
 * also after a restart: the first repetition within the window becomes a series, and others are counted now and then.
 */
const emit = async (
  client: Client,
  options: RecorderOptions,
  object: TypedResource,
  { reason, type, action }: EventType,
  note: string,
) => {
  const now = (options.clock ?? systemClock).wall()
  const { name, namespace = 'default', uid = '' } = object.metadata
  const identity = [object.kind, namespace, name, uid, reason, note, Math.floor(now / window)].join('\n')
  const id = createHash('sha256').update(identity).digest('hex').slice(0, 16)
  const ref = { namespace, name: `${name}.${id}` }
  const regarding = {
    apiVersion: object.apiVersion,
    kind: object.kind,
    name,
    ...(object.metadata.namespace !== undefined && { namespace }),
    ...(uid && { uid }),
  }
  try {
    await client.create(Event, {
      apiVersion: Event.apiVersion,
      kind: Event.kind,
      metadata: ref,
      eventTime: microTime(now),
      reportingController: manager,
      reportingInstance: options.instance,
      regarding,
      reason,
      type,
      action,
      note: shortened(note),
    })
  } catch (error) {
    if (!alreadyExists(error)) throw error
    await count(client, ref, now)
  }
}

const count = async (client: Client, ref: { namespace: string; name: string }, now: number) => {
  const existing = await client.get(Event, ref)
  const last = existing?.series?.lastObservedTime
  if (!existing || (last && now - Date.parse(last) < seriesInterval)) return
  const series = { count: (existing.series?.count ?? 1) + 1, lastObservedTime: microTime(now) }
  await client.patch(Event, ref, { series }, 'merge')
}

const shortened = (note: string) => {
  const bytes = Buffer.from(note)
  if (bytes.length <= longestNote) return note
  // A character cut in two at the end would come out as one that was never there.
  return `${bytes
    .subarray(0, longestNote - 4)
    .toString('utf8')
    .replace(/\uFFFD$/, '')}…`
}
