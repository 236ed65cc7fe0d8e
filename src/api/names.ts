/** Every derived name, label, annotation and finalizer: a name that is built anywhere else is a bug. */

export const group = 'otus.homework'
export const version = 'v1'
export const apiVersion = `${group}/${version}`

/** The field manager of every server-side apply, and the value of the managed-by label. */
export const manager = 'mysql-operator'

export const labels = {
  app: 'app',
  name: 'app.kubernetes.io/name',
  instance: 'app.kubernetes.io/instance',
  component: 'app.kubernetes.io/component',
  managedBy: 'app.kubernetes.io/managed-by',
} as const

/** What a labelled object is there for; the value of the component label. */
export type Component = 'database' | 'backup' | 'restore' | 'verify' | 'password-change' | 'credential'

export const annotations = {
  /** uid of the MySQL that an object was made for. */
  ownerUid: `${group}/owner-uid`,
  /** Hash of the manifest that was last applied: equal means that there is nothing to write. */
  contentHash: `${group}/content-hash`,
  /** On the pod template: hash of my.cnf, so that a change of configuration replaces the pod. */
  configHash: `${group}/config-hash`,
  /** On the pod template: uid of the Secret with the operator's account, so that a new one replaces the pod. */
  accountUid: `${group}/account-uid`,
  /** When the init container was seen to have finished on this claim: from then on there is data to lose. */
  initialised: `${group}/initialised`,
  /** What this claim's database was made from: a dump's file name, or `none`; absent until that is finished. */
  restoredFrom: `${group}/restored-from`,
  /** uid of the MySQL whose deletion found that this claim never had data: there is nothing to dump. */
  nothingToDump: `${group}/nothing-to-dump`,
  /** On the data claim: the image whose server was last seen to answer on it. */
  serverImage: `${group}/server-image`,
  /** On the data claim: the dump that was made before an upgrade, until the new server has answered. */
  upgradeDump: `${group}/upgrade-dump`,
  /** The generation of the spec that a Job was made from. */
  generation: `${group}/generation`,
  /** The data claim a Job was made for. */
  claimUid: `${group}/claim-uid`,
  /** The Secrets whose hashes a Job puts in force: `root=NAME,user=NAME`. */
  credentials: `${group}/credentials`,
  /** The accounts whose password before a Job lets stay valid: `root,user`. */
  keepsOld: `${group}/keeps-old`,
  /** `yes` on a Job that only compares the hashes. */
  onlyCompares: `${group}/only-compares`,
  /** On a dump's Job: the time of the schedule that it was made for. */
  scheduledFor: `${group}/scheduled-for`,
  /** On a dump's Job: the request that it was made for. */
  requestedBy: `${group}/requested-by`,
  /** On a dump's Job: the image before whose start it was made. */
  beforeUpgradeTo: `${group}/before-upgrade-to`,
  /** On a dump's Job: it is the last one, after which the server takes no writes. */
  lastDump: `${group}/last-dump`,
  /** On a verification's Job: the file name of the dump that it is about. */
  verifies: `${group}/verifies`,
  /** Ask for a dump now: any new value; mirrored to status.lastHandledBackupAt when one was started. */
  backupRequestedAt: `backup.${group}/requestedAt`,
  /** Ask for a reconcile now; mirrored to status.lastHandledReconcileAt. */
  requestedAt: `reconcile.${group}/requestedAt`,
} as const

/** The two accounts whose passwords a MySQL resource carries. */
export type Account = 'root' | 'user'
export const accounts: readonly Account[] = ['root', 'user']

/** Where the webhook hands tag and hash of an inline password, sealed, to the reconciler. */
export const sealedAnnotation = (account: Account) => `${group}/sealed-${account}`

export const finalizer = `${group}/final-backup`

export const secretTypes = {
  /** A password's hash as SQL literal: all that the operator keeps of a password that was given inline. */
  passwordHash: `${group}/mysql-password-hash`,
  /** A generated root password, which somebody has to be able to read. */
  generatedPassword: `${group}/mysql-password`,
  /** The operator's own account in one database: its client configuration and the SQL that asserts it. */
  operatorAccount: `${group}/mysql-operator-account`,
} as const

/** The schema in which the operator keeps the mark *restore pending*; refused as `spec.database`. */
export const operatorSchema = 'mysql_operator'
export const operatorAccount = 'mysql_operator'

/** The key of a password inside a Secret, where the reference does not name another. */
export const defaultPasswordKey = 'password'

/** Names of the objects of one MySQL called `name`; none may equal one of another MySQL's in the same namespace. */
export const names = {
  workload: (name: string) => name,
  pod: (name: string) => `${name}-0`,
  service: (name: string) => name,
  pods: (name: string) => `${name}-pods`,
  data: (name: string) => `${name}-pvc`,
  backups: (name: string) => `backup-${name}-pvc`,
  config: (name: string) => `${name}-config`,
  operatorSecret: (name: string) => `${name}-operator`,
  initSecret: (name: string) => `${name}-init`,
  networkPolicy: (name: string) => name,
  generatedRoot: (name: string) => `${name}-root`,
  /** `suffix` makes the name unique for ever: a change of password is a change of name. */
  credential: (name: string, account: Account, suffix: string) => `${name}-${account}-${suffix}`,
  restoreJob: (name: string) => `restore-${name}-job`,
  backupJob: (name: string) => `backup-${name}-job`,
  verifyJob: (name: string) => `verify-${name}-job`,
  passwordJob: (name: string) => `password-change-${name}-job`,
} as const

/** How long and of what the suffix of a Secret with a hash is: 40 bits, random or from a password's tag. */
export const credentialSuffix = /^[0-9a-f]{10}$/

/** Whether the operator names a Secret with a hash of that account so. Somebody else may have given the same name. */
export const isCredentialName = (secretName: string, name: string, account: Account): boolean => {
  const start = names.credential(name, account, '')
  return secretName.startsWith(start) && credentialSuffix.test(secretName.slice(start.length))
}

/** The name that other things can only derive names from while they stay within 63 characters. */
export const longestName = 40
