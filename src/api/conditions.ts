import type { MySQLStatus } from './schema.ts'

export type Condition = NonNullable<MySQLStatus['conditions']>[number]

/** Every condition, with every reason it can have: what is not listed here does not compile. */
export const reasons = {
  Ready: ['Serving', 'Starting', 'Restoring', 'Waiting', 'Invalid', 'ImageError', 'Suspended', 'Deleting'],
  Progressing: ['Working', 'Settled', 'Waiting'],
  Degraded: ['Fine', 'NameTaken', 'Invalid', 'ImageError', 'Error'],
  CredentialsReady: [
    'InForce',
    'Pending',
    'Changing',
    'Skipped',
    'Waiting',
    'Failed',
    'Drifted',
    'Suspended',
  ],
  Restored: ['FromBackup', 'NoBackup', 'Pending', 'Failed', 'NotWanted'],
  BackedUp: ['Succeeded', 'BackupIncomplete', 'Failed', 'Running', 'Pending'],
  UpgradeBlocked: ['BackupFailed', 'Stuck'],
  BackupVerified: ['Verified', 'Bad', 'Failed', 'Waiting', 'Running', 'Pending'],
  DeletionBlocked: ['BackupFailed', 'Stuck'],
} as const

export type ConditionType = keyof typeof reasons
export type Reason<T extends ConditionType> = (typeof reasons)[T][number]

/** A condition before it has a time: what a pure decision can say. */
export interface Finding<T extends ConditionType = ConditionType> {
  type: T
  status: 'True' | 'False' | 'Unknown'
  reason: Reason<T>
  message: string
}

/** One finding; spelled as a function so that type and reason are checked against each other. */
export const finding = <T extends ConditionType>(
  type: T,
  status: Finding['status'],
  reason: Reason<T>,
  message: string,
): Finding => ({ type, status, reason, message }) as Finding

/**
 * The findings as conditions. The transition time stays as it was while the status is the same; types that are not found
 * any more go away.
 */
export const toConditions = (
  findings: readonly Finding[],
  before: readonly Condition[] | undefined,
  generation: number,
  now: string,
): Condition[] =>
  findings.map(({ type, status, reason, message }) => {
    const old = before?.find((condition) => condition.type === type)
    return {
      type,
      status,
      reason,
      message,
      observedGeneration: generation,
      lastTransitionTime: old?.status === status ? old.lastTransitionTime : now,
    }
  })
