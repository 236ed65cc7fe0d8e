import { randomBytes } from 'node:crypto'
import jsonPatch, { type Operation } from 'fast-json-patch'
import type { PasswordInputs } from '../../src/admission/accountVerdict.ts'
import { createBudget } from '../../src/admission/budget.ts'
import { lastApplied } from '../../src/admission/lastApplied.ts'
import { mutate } from '../../src/admission/mutate.ts'
import { type Handler, respond } from '../../src/admission/review.ts'
import { type AuthPlugin, createCredential } from '../../src/passwords/credential.ts'

// biome-ignore lint/suspicious/noExplicitAny: tests look into objects of every kind
export type Loose = any

const credentials = {
  caching_sha2_password: createCredential(Buffer.from('fixture'), 'caching_sha2_password'),
  mysql_native_password: createCredential(Buffer.from('fixture'), 'mysql_native_password'),
}

/** Inputs whose hasher is quick and counts; the hash is always the same. */
export const passwordInputs = () => {
  const hashed: AuthPlugin[] = []
  let serial = 0
  const inputs: PasswordInputs = {
    key: Buffer.alloc(32, 7),
    hasher: {
      hash: async (_, plugin) => {
        hashed.push(plugin)
        return credentials[plugin]
      },
    },
    randomSuffix: () => `r${++serial}`,
  }
  return { inputs, hashed }
}

/** The spec with what the API server fills in. */
export const defaulted = (spec: Loose) => ({
  image: 'mysql:9.7',
  user: 'ali',
  storage_size: '1Gi',
  deletionPolicy: 'Backup',
  deletionProtection: false,
  restore: { from: 'latest' },
  ...spec,
  backup: { timeZone: 'UTC', keep: 7, suspended: false, timeoutSeconds: 21600, ...spec.backup },
})

const fieldsOf = (value: Loose): Loose =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [`f:${key}`, fieldsOf(inner)]))
    : {}

/** An object as it comes to the webhook when kubectl applies `manifest`, with defaults, annotation and managedFields. */
export const applied = (manifest: Loose): Loose => {
  const { spec, metadata } = manifest
  return {
    apiVersion: 'otus.homework/v1',
    kind: 'MySQL',
    metadata: {
      ...metadata,
      namespace: 'team',
      annotations: {
        ...metadata.annotations,
        [lastApplied]: `${JSON.stringify({
          apiVersion: 'otus.homework/v1',
          kind: 'MySQL',
          metadata: { annotations: {}, name: metadata.name, namespace: 'team', ...metadata },
          spec,
        })}\n`,
      },
      managedFields: [
        {
          manager: 'kubectl-client-side-apply',
          operation: 'Update',
          apiVersion: 'otus.homework/v1',
          time: '2026-01-02T03:04:05Z',
          fieldsType: 'FieldsV1',
          fieldsV1: {
            'f:metadata': { 'f:annotations': { '.': {}, [`f:${lastApplied}`]: {} } },
            'f:spec': { '.': {}, ...fieldsOf(spec) },
          },
        },
      ],
    },
    spec: defaulted(spec),
  }
}

/** The manifest with which the project began. */
export const oldManifest = (changes: Loose = {}) => ({
  metadata: { name: 'mysql-instance' },
  spec: {
    image: 'mysql:5.7',
    database: 'otus-database',
    password: 'otuspassword',
    storage_size: '1Gi',
    user_password: 's256789',
    ...changes,
  },
})

let reviews = 0

/** The body of a POST as the API server sends it. */
export const review = (object: Loose, oldObject: Loose = null, changes: Loose = {}): Loose => ({
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  request: {
    uid: `705ab4f5-6393-11e8-b7cc-42010a80${String(++reviews).padStart(4, '0')}`,
    kind: { group: 'otus.homework', version: 'v1', kind: 'MySQL' },
    resource: { group: 'otus.homework', version: 'v1', resource: 'mysqls' },
    name: object?.metadata?.name,
    namespace: 'team',
    operation: oldObject ? 'UPDATE' : 'CREATE',
    userInfo: {
      username: 'jane',
      uid: '42',
      groups: ['dev', 'system:authenticated'],
      extra: { scope: ['x'] },
    },
    object,
    oldObject,
    dryRun: false,
    options: { apiVersion: 'meta.k8s.io/v1', kind: 'CreateOptions', fieldManager: 'kubectl' },
    ...changes,
  },
})

/** The answer inside the envelope, with the patch decoded. */
export const ask = async (handler: Handler, body: Loose) => {
  const failures: unknown[] = []
  const response = await respond(handler, body, (error) => failures.push(error))
  const answer = (response.body as Loose).response
  const patch: Operation[] = answer?.patch ? JSON.parse(Buffer.from(answer.patch, 'base64').toString()) : []
  return { ...response, answer, patch, failures }
}

export const mutator = (inputs = passwordInputs().inputs, capacity = 1000) =>
  mutate({
    ...inputs,
    operatorNamespace: 'operators',
    guesses: createBudget(capacity, 60_000, () => 0),
  })

/** The object that is stored after /mutate; throws where it is refused. */
export const admit = async (handler: Handler, object: Loose, oldObject: Loose = null): Promise<Loose> => {
  const { answer, patch } = await ask(handler, review(object, oldObject))
  if (!answer.allowed) throw new Error(answer.status.message)
  return jsonPatch.applyPatch(object, patch, true, false).newDocument
}

/** `object` as an update of `stored` comes to the webhook: fields that the client left out are the client's to keep or drop. */
export const updateOf = (stored: Loose, change: (copy: Loose) => void): Loose => {
  const copy = structuredClone(stored)
  change(copy)
  return copy
}

/** Every way in which a password could stand in a text. */
export const disguises = (password: string) => {
  const bytes = Buffer.from(password)
  return [
    password,
    JSON.stringify(password).slice(1, -1),
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    // In the middle of a longer base64 text, at each of the three offsets, less the characters at the seams.
    ...[0, 1, 2].map((offset) =>
      Buffer.concat([Buffer.alloc(offset), bytes])
        .toString('base64')
        .slice(offset === 0 ? 0 : offset + 1)
        .replace(/.{0,2}=*$/, ''),
    ),
  ]
}

export const canary = () => `canary-${randomBytes(12).toString('hex')}`
