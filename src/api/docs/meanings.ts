/** What the conditions and their reasons mean to a person; a reason without a meaning does not compile. */
import type { ConditionType, Reason } from '../conditions.ts'

interface Meaning<T extends ConditionType> {
  /** What it says when it is True. */
  is: string
  /** When it is there at all. */
  when: string
  reasons: Record<Reason<T>, string>
}

const whileLiving = 'while the resource is not being deleted'
const whileDeleting = 'while the resource is being deleted'

export const meanings: { readonly [T in ConditionType]: Meaning<T> } = {
  Ready: {
    is: 'The server answers a query over the operator’s account and the database is filled: clients get in.',
    when: 'always',
    reasons: {
      Serving: 'It answers.',
      Starting: 'It has not answered yet.',
      Restoring: 'The restore Job has not come to its end; clients stay out until it has.',
      Waiting:
        'A Secret is missing or unusable, a name is taken, or the API server refused a write. The message says which.',
      Invalid: 'The resource breaks a rule, so nothing was made.',
      ImageError: 'The image cannot be pulled or started.',
      Suspended: '`spec.suspended` is true: the server is stopped.',
      Deleting: 'The resource is being deleted.',
    },
  },
  Progressing: {
    is: 'Something is under way.',
    when: whileLiving,
    reasons: {
      Working: 'The message says what.',
      Settled: 'Everything is as the spec says.',
      Waiting: 'Nothing goes on until somebody does something. The message says what.',
    },
  },
  Degraded: {
    is: 'Something is wrong that does not pass by itself.',
    when: whileLiving,
    reasons: {
      Fine: 'Nothing is wrong.',
      NameTaken: 'An object of a name that is needed exists and is not this resource’s.',
      Invalid: 'The resource breaks a rule. What runs goes on as it was.',
      ImageError: 'An image cannot be pulled or started.',
      Error:
        'The API server refused a write of the operator, for instance by a quota or a policy, or a container cannot be made or ends again and again.',
    },
  },
  CredentialsReady: {
    is: 'Every password that was asked for is in force.',
    when: whileLiving,
    reasons: {
      InForce: 'They are in force. The message says so while the password before one of them works as well.',
      Pending: 'The database is not filled yet; the accounts are made then.',
      Changing: 'A Job puts a new password in force.',
      Skipped:
        'A password was given for an account that had none: nothing was changed, the account was made.',
      Waiting: 'A Secret is missing or cannot be used as a password.',
      Failed: 'The Job failed and is tried again. Until then the password before may be in force.',
      Drifted: 'A password in the database is another one: somebody changed it with SQL. It is left alone.',
      Suspended: '`spec.suspended` is true: what is asked for is put in force afterwards.',
    },
  },
  Restored: {
    is: 'The database has what it shall begin with.',
    when: whileLiving,
    reasons: {
      FromBackup: 'It was made from a dump; the message names the file.',
      NoBackup: 'There was no dump: it was made empty.',
      NotWanted: '`spec.restore.from` is `none`: it was made empty.',
      Pending: 'The restore Job has not come to its end.',
      Failed: 'The restore Job failed and is tried again. Clients stay out.',
    },
  },
  BackedUp: {
    is: 'The latest dump that has come to its end was made.',
    when: 'once there is a schedule, or a dump was asked for, or the last dump is made',
    reasons: {
      Succeeded: 'It was made, or at the deletion there was nothing to dump.',
      BackupIncomplete: 'It was made without what the server itself cannot read. The message lists it.',
      Failed: 'It was not made. The schedule goes on; the last dump is tried again.',
      Running: 'The first dump, or the last one, is being made.',
      Pending: 'None has been made yet; the message says when the first is due.',
    },
  },
  UpgradeBlocked: {
    is: 'Another image waits for a dump that is not made. The server before goes on.',
    when: 'while an upgrade waits and cannot go on',
    reasons: {
      BackupFailed: 'The dump before the upgrade failed and is tried again.',
      Stuck: 'The dump before the upgrade cannot run, for instance because the server does not start.',
    },
  },
  BackupVerified: {
    is: 'The dump that was verified last can be restored: a throw-away server has done it.',
    when: 'once there is a dump to verify',
    reasons: {
      Verified: 'It was restored as a whole. The message names it.',
      Bad: 'It cannot be restored, or not all of it. It is kept, and `latest` passes it over.',
      Failed: 'The verification itself failed, which says nothing about the dump. The next one is tried.',
      Waiting:
        'The verification does not start. The message says why; it is given up at its deadline, or for a dump.',
      Running: 'The first one is under way.',
      Pending: 'The first one is about to begin.',
    },
  },
  DeletionBlocked: {
    is: 'The deletion waits for a person. The data is still there.',
    when: `${whileDeleting} and cannot go on`,
    reasons: {
      BackupFailed: 'The last dump failed and is tried again.',
      Stuck: 'The last dump cannot run, for instance because an image cannot be pulled.',
    },
  },
}
