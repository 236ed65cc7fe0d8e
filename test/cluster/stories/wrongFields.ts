/** Wrong values of single fields: of the database, the volumes and the pod. */

/** One wrong manifest: what is laid over a right one, and what the refusal says. */
export interface Wrong {
  name?: string
  /** Replaces the whole spec but for `database`; a value of undefined takes a field out. */
  spec?: Record<string, unknown>
  /** True if it is a change of the stored MySQL that is wrong, and not the manifest by itself. */
  update?: true
  /** The field as it stands in the message. */
  field: string
  /**
   * Part of the reason, and part of what to do. Fields that do not exist are refused before anybody of ours is asked: there
   * the API server names the field, and no more.
   */
  says: [reason: string, remedy: string] | 'unknown field'
  /** False where only the webhook can know: the CRD alone lets it through. */
  alone?: false
}

const letters = 'use 1 to 64 letters'
const otherName = 'choose another name than'

/** Rules on the database and its account. */
export const databases: Record<string, Wrong> = {
  'no database': { spec: { database: undefined }, field: 'spec.database', says: ['required', 'Name of the'] },
  'a database that is shell': {
    spec: { database: 'x; id' },
    field: 'spec.database',
    says: ['not a database name', letters],
  },
  'a database that is SQL': {
    spec: { database: 'x`; DROP DATABASE y; -- ' },
    field: 'spec.database',
    says: ['not a database name', letters],
  },
  'a database that is an option': {
    spec: { database: '--all-databases' },
    field: 'spec.database',
    says: ['not a database name', letters],
  },
  'a database with a line break': {
    spec: { database: 'x\nid' },
    field: 'spec.database',
    says: ['not a database name', letters],
  },
  'an empty database': {
    spec: { database: '' },
    field: 'spec.database',
    says: ['not a database name', letters],
  },
  'the database mysql': {
    spec: { database: 'mysql' },
    field: 'spec.database',
    says: ['system schema', otherName],
  },
  'a system schema in other letters': {
    spec: { database: 'Information_Schema' },
    field: 'spec.database',
    says: ['system schema', otherName],
  },
  'the schema of the operator': {
    spec: { database: 'mysql_operator' },
    field: 'spec.database',
    says: ['system schema', otherName],
  },
  'a database of 65 letters': {
    spec: { database: 'x'.repeat(65) },
    field: 'spec.database',
    says: ['64', 'up to 64 letters'],
  },
  'a database that is too long as a directory': {
    spec: { database: `x${'-'.repeat(60)}` },
    field: 'spec.database',
    says: ['255 bytes', 'fewer'],
  },
  'a database that is a number': {
    spec: { database: 5 },
    field: 'spec.database',
    says: ['string', 'up to 64 letters'],
  },
  'the account root': { spec: { user: 'root' }, field: 'spec.user', says: ['needs for itself', otherName] },
  'the account of the operator': {
    spec: { user: 'mysql_operator' },
    field: 'spec.user',
    says: ['needs for itself', otherName],
  },
  'an account of the server': {
    spec: { user: 'mysql.sys' },
    field: 'spec.user',
    says: ['needs for itself', otherName],
  },
  'an account that is SQL': {
    spec: { user: "a'@'%" },
    field: 'spec.user',
    says: ['not an account name', 'use 1 to 32 letters'],
  },
}

/** Rules on the volumes and on what becomes of them. */
export const volumes: Record<string, Wrong> = {
  'a size that is none': {
    spec: { storage_size: 'big' },
    field: 'spec.storage_size',
    says: ['not a size', '1Gi'],
  },
  'a size that an API server would never finish reading': {
    spec: { storage_size: '1e99999999' },
    field: 'spec.storage_size',
    says: ['not a size', '1Gi'],
  },
  'a size that no server fits into': {
    spec: { storage_size: '255Mi' },
    field: 'spec.storage_size',
    says: ['less than 256Mi', 'ask for 256Mi'],
  },
  'a StorageClass that does not exist': {
    spec: { storageClassName: 'no-such-class' },
    field: 'spec.storageClassName',
    says: ['does not exist', 'kubectl get storageclass'],
    alone: false,
  },
  'a StorageClass that is no name': {
    spec: { storageClassName: 'Fast Disk' },
    field: 'spec.storageClassName',
    says: ['not the name', 'kubectl get storageclass'],
  },
  'a dump in another folder': {
    spec: { restore: { from: '../other/x.sql' } },
    field: 'spec.restore.from',
    says: ['file name', 'without any "/"'],
  },
  'a deletion policy that does not exist': {
    spec: { deletionPolicy: 'Keep' },
    field: 'spec.deletionPolicy',
    says: ['Retain', 'the data volume stays'],
  },
}

/** Rules on the dumps. */
export const backups: Record<string, Wrong> = {
  'a macro for a schedule': {
    spec: { backup: { schedule: '@daily' } },
    field: 'spec.backup.schedule',
    says: ['not every cron knows', '"0 0 * * *" for @daily'],
  },
  'a schedule with seconds': {
    spec: { backup: { schedule: '0 30 2 * * *' } },
    field: 'spec.backup.schedule',
    says: ['not five fields', 'without seconds'],
  },
  'a schedule with a time zone': {
    spec: { backup: { schedule: 'CRON_TZ=UTC 30 2 * * *' } },
    field: 'spec.backup.schedule',
    says: ['time zone in it', 'spec.backup.timeZone'],
  },
  'a minute that no hour has': {
    spec: { backup: { schedule: '60 2 * * *' } },
    field: 'spec.backup.schedule',
    says: ['does not take', 'minutes 0-59'],
    alone: false,
  },
  'a day that no year has': {
    spec: { backup: { schedule: '30 2 31 2 *' } },
    field: 'spec.backup.schedule',
    says: ['no year has', 'name a day'],
    alone: false,
  },
  'an offset for a time zone': {
    spec: { backup: { timeZone: '+02:00' } },
    field: 'spec.backup.timeZone',
    says: ['not a time zone', 'Europe/Berlin'],
    alone: false,
  },
  'no dump to be kept': {
    spec: { backup: { keep: 0 } },
    field: 'spec.backup.keep',
    says: ['1', 'dumps'],
  },
}

/** Rules on the pod, and fields that do not exist. */
export const pods: Record<string, Wrong> = {
  'an empty image': { spec: { image: '' }, field: 'spec.image', says: ['not an image', 'mysql:9.7'] },
  'an image that is shell': {
    spec: { image: 'mysql:$(id)' },
    field: 'spec.image',
    says: ['not an image', 'mysql:9.7'],
  },
  'a pull policy that does not exist': {
    spec: { imagePullPolicy: 'Sometimes' },
    field: 'spec.imagePullPolicy',
    says: ['IfNotPresent', 'as in a Pod'],
  },
  'memory that is no amount': {
    spec: { resources: { limits: { memory: 'much' } } },
    field: 'spec.resources',
    says: ['not an amount', '1Gi of memory'],
    alone: false,
  },
  'a request above its limit': {
    spec: { resources: { limits: { memory: '1Gi' }, requests: { memory: '2Gi' } } },
    field: 'spec.resources',
    says: ['more than it allows', 'raise the limit'],
    alone: false,
  },
  'a node label that is none': {
    spec: { nodeSelector: { 'disk type': 'ssd' } },
    field: 'spec.nodeSelector',
    says: ['not a label', 'kubectl get nodes'],
    alone: false,
  },
  'a priority class that is no name': {
    spec: { priorityClassName: 'High!' },
    field: 'spec.priorityClassName',
    says: ['PriorityClass', 'kubectl get priorityclass'],
  },
  'a pull secret without a name': {
    spec: { imagePullSecrets: [{}] },
    field: 'spec.imagePullSecrets',
    says: ['required', 'image is pulled'],
  },
  'a misspelt field': {
    spec: { storageSize: '2Gi' },
    field: 'spec.storageSize',
    says: 'unknown field',
  },
  'a field that would set up SQL of its own': {
    spec: { initSQL: 'DROP DATABASE shop' },
    field: 'spec.initSQL',
    says: 'unknown field',
  },
}
