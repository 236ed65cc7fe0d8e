/** What only the cluster can tell about a resource that breaks no rule of its own. */
import { isDeepStrictEqual } from 'node:util'
import type { MySQL } from '../api/mysql.ts'
import { type Account, accounts, defaultPasswordKey, names, secretTypes } from '../api/names.ts'
import type { Violation } from '../api/rule.ts'
import { mayAccess } from '../kube/access.ts'
import type { Client } from '../kube/client.ts'
import { Secret, StorageClass } from '../kube/kinds.ts'
import { passwordBytesProblem } from '../passwords/policy.ts'
import { accountFields, sealedIn } from './accountFields.ts'
import { lastApplied } from './lastApplied.ts'
import { isRecord } from './record.ts'
import type { AdmissionRequest, UncheckedObject } from './review.ts'

/** What the look-ups found. */
export interface Seen {
  violations: Violation[]
  warnings: string[]
}

export type Look = (request: AdmissionRequest, now: MySQL, was?: MySQL) => Promise<Seen>

export interface LookupOptions {
  client: Pick<Client, 'get' | 'review'>
  /** The operator key: it tells which references are of the operator's own making. */
  key: Buffer
  /** Milliseconds for all look-ups of one review together; the webhook itself has five seconds. */
  limitMs?: number
}

const nothing: Seen = { violations: [], warnings: [] }
const refusal = (field: string, message: string): Seen => ({ violations: [{ field, message }], warnings: [] })
const warning = (text: string): Seen => ({ violations: [], warnings: [text] })

/** Everything that a look-up needs to know of its review. */
interface Inquiry {
  client: LookupOptions['client']
  request: AdmissionRequest
  now: MySQL
  was: MySQL | undefined
  signal: AbortSignal
}

/**
 * Looks at the StorageClass and at the Secrets that a new or changed reference names, all at once. What cannot be found out
 * in time becomes a warning, but for the right to read a Secret: that nobody answered is no permission.
 */
export const createLook =
  ({ client, key, limitMs = 1500 }: LookupOptions): Look =>
  async (request, now, was) => {
    const inquiry: Inquiry = { client, request, now, was, signal: AbortSignal.timeout(limitMs) }
    const seen = await Promise.all([
      lookAtStorageClass(inquiry),
      ...accounts.map((account) => lookAtReference(inquiry, account, key)),
    ])
    return {
      violations: seen.flatMap(({ violations }) => violations),
      warnings: seen.flatMap(({ warnings }) => warnings),
    }
  }

const lookAtStorageClass = async ({ client, now, was, signal }: Inquiry): Promise<Seen> => {
  const name = now.spec.storageClassName
  if (name === undefined || name === was?.spec.storageClassName) return nothing
  const field = 'spec.storageClassName'
  const found = await answered(signal, () => client.get(StorageClass, { name }, { signal }))
  if (!found.inTime)
    return warning(
      `${field} could not be looked up; if there is no such StorageClass, the volume will wait for it`,
    )
  if (found.value) return nothing
  return refusal(
    field,
    'names a StorageClass that does not exist: use one that `kubectl get storageclass` lists, or leave the field out for the default one',
  )
}

const lookAtReference = async (inquiry: Inquiry, account: Account, key: Buffer): Promise<Seen> => {
  const { client, request, now, was, signal } = inquiry
  const { reference } = accountFields[account]
  const given = now.spec[reference]
  if (!given || isDeepStrictEqual(given, was?.spec[reference])) return nothing
  if (isOperatorMade(inquiry, account, given.name, key)) return nothing
  const field = `spec.${reference}`
  const permission = await answered(signal, () => mayRead(inquiry, given.name))
  if (!permission.inTime) return refusal(field, rightUnknown)
  if (!permission.value) return refusal(field, noRight)
  const { namespace } = request
  const secret = await answered(signal, () => client.get(Secret, { namespace, name: given.name }, { signal }))
  if (secret.inTime) return judgeSecret(field, secret.value, given.key ?? defaultPasswordKey)
  return warning(`${field} could not be looked up; the database waits until its Secret is there`)
}

/**
 * A Secret that the operator makes itself is nobody's to read. For the name of a generated password this holds because the
 * reconciler takes a Secret of that name only if it is of the operator's own type.
 */
const isOperatorMade = ({ request, now }: Inquiry, account: Account, name: string, key: Buffer) =>
  (account === 'root' && name === names.generatedRoot(now.metadata.name)) ||
  sealedIn(key, request.namespace, now as unknown as UncheckedObject, account)?.secretName === name

const noRight =
  'names a Secret that you may not read, if it exists: ask for the right to `get` it, or name another one'
const rightUnknown =
  'could not be checked, because the API server did not say in time whether you may read that Secret: try again'

/** Writing a MySQL must not be a way to read what one may not read. */
const mayRead = ({ client, request, signal }: Inquiry, name: string) =>
  mayAccess(
    client,
    request.userInfo,
    { resource: { resource: 'secrets', verb: 'get', namespace: request.namespace, name } },
    { signal },
  )

const ownTypes: ReadonlySet<string | undefined> = new Set(Object.values(secretTypes))

const judgeSecret = (field: string, secret: Secret | undefined, key: string): Seen => {
  if (!secret) return warning(`${field} names a Secret that does not exist; the database waits until it does`)
  if (ownTypes.has(secret.type))
    return refusal(
      field,
      'names a Secret that the operator made for itself: give the password in a Secret of your own',
    )
  const value = secret.data?.[key]
  if (value === undefined)
    return warning(`${field} names a key that its Secret does not have; the database waits until it does`)
  return { violations: [], warnings: [...valueWarnings(field, value), ...copyWarnings(field, secret, key)] }
}

const valueWarnings = (field: string, encoded: string): string[] => {
  const bytes = Buffer.from(encoded, 'base64')
  const problem = passwordBytesProblem(bytes)?.replace(/^the password /, '')
  const ends = bytes.at(-1) === 10
  bytes.fill(0)
  if (problem !== undefined) return [`${field}: the password in that Secret ${problem}`]
  return ends ? [`${field}: the password in that Secret ends in a line break, which is part of it`] : []
}

/** `kubectl apply` of a Secret leaves a copy of its data in an annotation, which more people may see. */
const copyWarnings = (field: string, secret: Secret, key: string): string[] => {
  const text = secret.metadata.annotations?.[lastApplied]
  return text !== undefined && holdsKey(text, key)
    ? [
        `${field}: that Secret carries its password in the annotation last-applied-configuration too; make it with kubectl create or apply --server-side`,
      ]
    : []
}

const holdsKey = (text: string, key: string): boolean => {
  try {
    const copy: unknown = JSON.parse(text)
    return (
      isRecord(copy) &&
      [copy.data, copy.stringData].some((part) => isRecord(part) && Object.hasOwn(part, key))
    )
  } catch {
    // Not what kubectl writes, so there is nothing to warn of.
    return false
  }
}

type Answered<T> = { inTime: true; value: T } | { inTime: false; value?: undefined }

/** The answer of a call, or that there was none in time. Why does not matter here: the reconciler meets it again and tells. */
const answered = async <T>(signal: AbortSignal, call: () => Promise<T>): Promise<Answered<T>> => {
  const { promise: late, resolve } = Promise.withResolvers<{ inTime: false }>()
  const giveUp = () => resolve({ inTime: false })
  if (signal.aborted) return { inTime: false }
  signal.addEventListener('abort', giveUp, { once: true })
  try {
    return await Promise.race([call().then((value) => ({ inTime: true, value }) as const), late])
  } catch {
    return { inTime: false }
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}
