/**
 * What a MySQL resource looks like, as data: the CRD, the ajv validator and the TypeScript types come from here.
 * What a type, an enum or a bound cannot say with a remedy stands in `rules/`, which the CRD gets as CEL.
 */
import type { ExtendedJSONSchema, FromExtendedSchema } from 'json-schema-to-ts'
import { defaultPasswordKey } from './names.ts'
import { longestQuantity } from './quantity.ts'

/** Keywords of Kubernetes' structural schemas that JSON Schema does not know. */
export type KubeKeywords = {
  'x-kubernetes-int-or-string'?: boolean
  'x-kubernetes-list-type'?: string
  'x-kubernetes-list-map-keys'?: readonly string[]
  'x-kubernetes-map-type'?: string
}

const secretRef = (account: string) =>
  ({
    type: 'object',
    description: `Takes the password of ${account} from a key of a Secret in the same namespace. The Secret may be made later; a change there is a change of password.`,
    required: ['name'],
    properties: {
      name: {
        type: 'string',
        maxLength: 253,
        description: 'Name of the Secret, in the namespace of this resource.',
      },
      key: {
        type: 'string',
        maxLength: 253,
        default: defaultPasswordKey,
        description: 'Key inside the Secret that holds the password.',
      },
      // Declared, or the API server would refuse it as unknown, with no word of what to do instead. See rules/password.ts.
      namespace: {
        type: 'string',
        maxLength: 253,
        description:
          'Not allowed: the Secret has to be in the namespace of this resource. It is here so that the refusal can say so.',
      },
    },
  }) as const

const quantities = {
  type: 'object',
  maxProperties: 16,
  additionalProperties: {
    anyOf: [{ type: 'integer' }, { type: 'string' }],
    // Beside anyOf, for the API server takes no other anyOf than this in a structural schema. Integers have no length.
    maxLength: longestQuantity,
    'x-kubernetes-int-or-string': true,
  },
} as const

export const specSchema = {
  type: 'object',
  description: 'The wanted database.',
  required: ['database'],
  properties: {
    image: {
      type: 'string',
      maxLength: 512,
      default: 'mysql:9.7',
      description:
        'Image with mysqld, mysql and mysqldump on its PATH, official style. Its tag tells the version; changing it replaces the pod.',
    },
    database: {
      type: 'string',
      maxLength: 64,
      description:
        'Name of the database that is made: up to 64 letters, digits, "_", "$" and "-", the first one a letter, a digit or "_". Cannot be changed later.',
    },
    password: {
      type: 'string',
      description:
        'Password of root, 1 to 256 bytes. Write-only: the operator keeps a hash in a Secret and removes it from here. Use passwordSecretRef for Git.',
    },
    passwordSecretRef: secretRef('root'),
    user: {
      type: 'string',
      maxLength: 32,
      default: 'ali',
      description:
        'Name of the account that owns the database: up to 32 letters, digits, "_", "." and "-". Made when it has a password. Cannot be changed later.',
    },
    user_password: {
      type: 'string',
      description:
        'Password of the account in `user`, 1 to 256 bytes. Write-only: the operator keeps a hash in a Secret and removes it from here. Use userPasswordSecretRef for Git.',
    },
    userPasswordSecretRef: secretRef('the account in `user`'),
    passwordGraceSeconds: {
      type: 'integer',
      minimum: 0,
      maximum: 604_800,
      default: 0,
      description:
        'How long the password before a change keeps working beside the new one, up to 7 days. 0: it is refused at once.',
    },
    storage_size: {
      type: 'string',
      maxLength: 32,
      default: '1Gi',
      description:
        'Size of the data volume, at least 256Mi, such as 10Gi. The backup volume gets the same size.',
    },
    storageClassName: {
      type: 'string',
      maxLength: 253,
      description:
        "StorageClass of the volumes; the cluster's default one if not set. Cannot be changed later.",
    },
    resources: {
      type: 'object',
      description: 'CPU and memory of the MySQL container, as in a Pod. Changing it replaces the pod.',
      properties: { limits: quantities, requests: quantities },
    },
    nodeSelector: {
      type: 'object',
      description: 'Labels that a node must have, as in a Pod. Changing it replaces the pod.',
      maxProperties: 32,
      additionalProperties: { type: 'string', maxLength: 63 },
    },
    tolerations: {
      type: 'array',
      description: 'Taints that the pod tolerates, as in a Pod. Changing it replaces the pod.',
      maxItems: 32,
      items: {
        type: 'object',
        properties: {
          key: { type: 'string', maxLength: 316 },
          operator: { type: 'string', enum: ['Exists', 'Equal'] },
          value: { type: 'string', maxLength: 63 },
          effect: { type: 'string', enum: ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] },
          tolerationSeconds: { type: 'integer' },
        },
      },
    },
    priorityClassName: {
      type: 'string',
      maxLength: 253,
      description: 'PriorityClass of the pod. Changing it replaces the pod.',
    },
    imagePullPolicy: {
      type: 'string',
      enum: ['Always', 'IfNotPresent', 'Never'],
      description: 'When the image is pulled, as in a Pod. Changing it replaces the pod.',
    },
    imagePullSecrets: {
      type: 'array',
      description: 'Secrets with which the image is pulled, as in a Pod. Changing it replaces the pod.',
      maxItems: 16,
      items: {
        type: 'object',
        required: ['name'],
        properties: { name: { type: 'string', maxLength: 253 } },
      },
    },
    suspended: {
      type: 'boolean',
      default: false,
      description:
        'Stops the server while true: its pod goes, data and dumps stay. Until it is false again no dump is made and no password changed; a deletion starts it for the last dump.',
    },
    deletionPolicy: {
      type: 'string',
      enum: ['Backup', 'Retain', 'Delete'],
      default: 'Backup',
      description:
        'What happens to the data when this resource is deleted. Backup: a last dump, then the data volume goes. Retain: the data volume stays. Delete: no dump, the data is gone.',
    },
    deletionProtection: {
      type: 'boolean',
      default: false,
      description: 'Refuses the deletion of this resource while true.',
    },
    backup: {
      type: 'object',
      description: 'When dumps are made while the database lives, and how many are kept.',
      default: {},
      properties: {
        schedule: {
          type: 'string',
          maxLength: 100,
          description:
            'When a dump is made, as five fields of cron: minute, hour, day of the month, month, day of the week, such as "30 2 * * *". Without it there is one at the deletion and on demand only.',
        },
        timeZone: {
          type: 'string',
          maxLength: 64,
          default: 'UTC',
          description: 'Time zone of the schedule: a name of the IANA database, such as Europe/Berlin.',
        },
        keep: {
          type: 'integer',
          minimum: 1,
          maximum: 1000,
          default: 7,
          description:
            'How many dumps of this resource are kept. Older ones go after a dump succeeded. Those of a former resource of this name are neither counted nor removed.',
        },
        verifyEvery: {
          type: 'integer',
          minimum: 0,
          maximum: 1000,
          default: 7,
          description:
            'Which dumps are proven by restoring them into a throw-away server: the first, and after that each n-th. 1: each; 0: none.',
        },
        suspended: {
          type: 'boolean',
          default: false,
          description:
            'Stops the schedule while true. What is missed meanwhile is not made up for; a dump on demand is still made.',
        },
        beforeUpgrade: {
          type: 'boolean',
          default: true,
          description:
            'Makes a dump before another image is started; if it cannot be made, the image before stays in use.',
        },
        timeoutSeconds: {
          type: 'integer',
          minimum: 60,
          maximum: 604800,
          default: 21600,
          description:
            'How long making a dump may take, the last one as well, and verifying one, in seconds. Then it has failed.',
        },
      },
    },
    restore: {
      type: 'object',
      description: 'What an empty database is filled with when it is made. Cannot be changed later.',
      default: {},
      properties: {
        from: {
          type: 'string',
          maxLength: 253,
          default: 'latest',
          description:
            '"latest" (the newest good dump on the own backup volume, if there is one), "none", or the file name of one dump.',
        },
      },
    },
  },
} as const satisfies ExtendedJSONSchema<KubeKeywords>

const time = (description: string) => ({ type: 'string', format: 'date-time', description }) as const

const credential = {
  type: 'object',
  description: 'Of that account.',
  required: ['secretName', 'changedAt'],
  properties: {
    secretName: { type: 'string', description: 'Secret with the hash that is in force.' },
    changedAt: time('When it was put in force.'),
    oldPasswordUntil: time('Until then the password before it works as well; absent when it does not.'),
  },
} as const

export const statusSchema = {
  type: 'object',
  description: 'What the operator last saw.',
  properties: {
    observedGeneration: { type: 'integer', description: 'Generation of the spec that this status is about.' },
    message: { type: 'string', description: 'One line for people.' },
    version: { type: 'string', description: 'Version of the running server.' },
    endpoint: { type: 'string', description: 'Host and port at which clients connect.' },
    restoredFrom: { type: 'string', description: 'File name of the dump that the database was made from.' },
    conditions: {
      type: 'array',
      description: 'How it is, one entry a type.',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['type'],
      items: {
        type: 'object',
        required: ['type', 'status', 'reason', 'message', 'lastTransitionTime'],
        properties: {
          type: { type: 'string', description: 'Which condition.' },
          status: { type: 'string', enum: ['True', 'False', 'Unknown'] },
          observedGeneration: { type: 'integer', description: 'Generation of the spec that it is about.' },
          lastTransitionTime: time('When its status last changed.'),
          reason: { type: 'string', description: 'Why, in one word of a fixed list.' },
          message: { type: 'string', description: 'Why, for people, and what to do.' },
        },
      },
    },
    credentials: {
      type: 'object',
      description: 'Which password hashes are in force.',
      properties: { root: credential, user: credential },
    },
    backup: {
      type: 'object',
      description: 'The last good dump, and the schedule.',
      properties: {
        lastSuccess: time('When the last good dump was made.'),
        file: { type: 'string', description: 'Its file name.' },
        bytes: { type: 'integer', format: 'int64', description: 'Size of the file.' },
        tables: { type: 'integer', description: 'Tables in it, without views.' },
        duration: { type: 'integer', description: 'How long it took, in seconds.' },
        lastRun: time('When the latest run that has come to its end began, whatever came of it.'),
        failures: { type: 'integer', description: 'Runs that failed since the resource was made.' },
        verifiedAt: time('When a dump was last found good by a verification.'),
        verification: {
          type: 'object',
          description: 'The latest verification that has come to its end.',
          required: ['startedAt', 'file', 'result'],
          properties: {
            startedAt: time('When it began.'),
            file: { type: 'string', description: 'File name of the dump.' },
            result: {
              type: 'string',
              enum: ['Good', 'Bad', 'Unknown'],
              description: 'What came of it; Unknown: it failed itself.',
            },
          },
        },
        sinceVerified: {
          type: 'integer',
          description: 'Dumps made since the one that was last found good or bad.',
        },
        nextRun: time(
          'When the schedule wants a dump next; in the past while that dump waits for the one before.',
        ),
      },
    },
    lastRun: {
      type: 'object',
      description: 'What the reconcile did that answered the last request.',
      properties: {
        did: {
          type: 'array',
          items: { type: 'string' },
          description: 'Objects made or changed, and steps taken.',
        },
        nextInSeconds: {
          type: 'integer',
          description: 'When the resource is looked at again without an event, if it is.',
        },
      },
    },
    lastHandledReconcileAt: {
      type: 'string',
      description: 'The last reconcile request that was carried out.',
    },
    lastHandledBackupAt: {
      type: 'string',
      description: 'The last request for a dump for which one was started.',
    },
  },
} as const satisfies ExtendedJSONSchema<KubeKeywords>

/** The spec as it is stored: the API server has filled in the defaults. */
export type MySQLSpec = FromExtendedSchema<KubeKeywords, typeof specSchema>
export type MySQLStatus = FromExtendedSchema<KubeKeywords, typeof statusSchema>
