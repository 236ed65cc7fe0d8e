/** The envelope of admission.k8s.io/v1: what the API server asks and how it is answered. */
import type { Operation } from 'fast-json-patch'
import { group } from '../api/names.ts'
import type { Violation } from '../api/rule.ts'
import { summary, told } from '../api/rules.ts'
import type { User } from '../kube/access.ts'
import { isRecord } from './record.ts'

const apiVersion = 'admission.k8s.io/v1'
const kind = 'AdmissionReview'

/** The part of a request that is read here. Inside the objects nothing has been checked yet but `metadata`. */
export interface AdmissionRequest {
  uid: string
  operation: string
  /** Empty for the main resource. */
  subResource: string
  namespace: string
  /** Empty on a CREATE with generateName, until the API server has chosen a name. */
  name: string
  /** Who asks, as the API server has authenticated them. */
  userInfo: User
  object?: UncheckedObject
  oldObject?: UncheckedObject
}

/** An object of which only this much is certain. */
export interface UncheckedObject extends Record<string, unknown> {
  metadata: Record<string, unknown>
}

/** What a handler says; `respond` puts it into the envelope. */
export interface Answer {
  allowed: boolean
  patch?: Operation[]
  warnings?: readonly string[]
  status?: Status
}

interface Status {
  code: number
  reason: string
  message: string
  causes: readonly Violation[]
  retryAfterSeconds?: number
}

export type Handler = (request: AdmissionRequest) => Promise<Answer>

/** Lets the request through as it is. */
export const allowed = (warnings: readonly string[] = []): Answer => ({ allowed: true, warnings })

/** Lets the request through with changes. */
export const patched = (patch: Operation[], warnings: readonly string[] = []): Answer => ({
  allowed: true,
  patch,
  warnings,
})

/** Refuses with what is wrong: one line a field in kubectl, one text for everybody else. */
export const denied = (found: readonly Violation[], warnings: readonly string[] = []): Answer => ({
  allowed: false,
  warnings,
  status: { code: 422, reason: 'Invalid', message: summary(found), causes: told(found) },
})

/** Refuses for now: nothing is wrong with the request itself. kubectl asks again by itself after so many seconds. */
export const tooMany = (message: string, retryAfterSeconds: number): Answer => ({
  allowed: false,
  status: { code: 429, reason: 'TooManyRequests', message, causes: [], retryAfterSeconds },
})

/** Says nothing of the request: what was thrown may quote it. */
const failed: Answer = {
  allowed: false,
  status: {
    code: 500,
    reason: 'InternalError',
    message:
      "the operator's webhook failed on this request: try again, and if it stays so, see the operator's log",
    causes: [],
  },
}

export interface Response {
  /** HTTP status: 200 also for a refusal, 400 for what is no AdmissionReview. */
  code: number
  body: unknown
  /** For metrics. */
  operation: string
  result: 'allowed' | 'patched' | 'denied' | 'error'
}

/** Called with what a handler threw, and with names only. */
export type OnFailure = (error: unknown, about: { uid: string; namespace: string; name: string }) => void

/** Runs the handler on the body of a POST. Always answers, with the request's uid if there is one. */
export const respond = async (handler: Handler, body: unknown, onFailure: OnFailure): Promise<Response> => {
  const request = requestOf(body)
  if (typeof request === 'string')
    return { code: 400, body: { error: request }, operation: 'unknown', result: 'error' }
  const answer = await handler(request).catch((error: unknown) => {
    const [namespace, name] = [shortened(request.namespace), shortened(request.name)]
    onFailure(error, { uid: request.uid, namespace, name })
    return failed
  })
  const operation = operations.has(request.operation) ? request.operation : 'unknown'
  return { code: 200, body: envelope(request, answer), operation, result: resultOf(answer) }
}

/** The labels of a metric are a closed set. */
const operations = new Set(['CREATE', 'UPDATE', 'DELETE', 'CONNECT'])

const resultOf = (answer: Answer): Response['result'] => {
  if (answer === failed) return 'error'
  if (!answer.allowed) return 'denied'
  return answer.patch && answer.patch.length > 0 ? 'patched' : 'allowed'
}

const envelope = (request: AdmissionRequest, { allowed, patch, warnings, status }: Answer) => ({
  apiVersion,
  kind,
  response: {
    uid: request.uid,
    allowed,
    ...(patch && patch.length > 0
      ? { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') }
      : {}),
    ...(warnings && warnings.length > 0 ? { warnings: warnings.map(shortened) } : {}),
    ...(status ? { status: toStatus(request, status) } : {}),
  },
})

const toStatus = (
  request: AdmissionRequest,
  { code, reason, message, causes, retryAfterSeconds }: Status,
) => ({
  apiVersion: 'v1',
  kind: 'Status',
  metadata: {},
  status: 'Failure',
  code,
  reason,
  message,
  details: {
    group,
    kind: 'MySQL',
    name: shortened(request.name),
    causes: causes.map(({ field, message }) => ({ reason: 'FieldValueInvalid', field, message })),
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  },
})

/** The API server cuts warnings off behind 256 characters, and no name is longer. */
const longest = 256
const shortened = (text: string) => (text.length <= longest ? text : `${text.slice(0, longest - 1)}…`)

const isReview = (body: unknown): body is Record<string, unknown> =>
  isRecord(body) && body.apiVersion === apiVersion && body.kind === kind

/** The request inside the body, or what is wrong with it. */
const requestOf = (body: unknown): AdmissionRequest | string => {
  const request = isReview(body) ? body.request : undefined
  if (!isRecord(request)) return `the body is no ${kind} of ${apiVersion} with a request`
  const { uid, operation, object, oldObject } = request
  if (typeof uid !== 'string' || uid === '' || uid.length > 253) return 'request.uid is missing or not a text'
  if (typeof operation !== 'string') return 'request.operation is missing or not a text'
  if (!isObject(object) || !isObject(oldObject))
    return 'request.object and request.oldObject must be objects with metadata, or left out'
  const missing = missingIn(operation, object, oldObject)
  if (missing) return `${missing} is missing`
  const { namespace, name } = object?.metadata ?? {}
  return {
    uid,
    operation,
    subResource: textOr(request.subResource, ''),
    namespace: textOr(request.namespace, textOr(namespace, '')),
    name: textOr(request.name, textOr(name, '')),
    userInfo: isRecord(request.userInfo) ? request.userInfo : {},
    ...(object ? { object } : {}),
    ...(oldObject ? { oldObject } : {}),
  }
}

const missingIn = (operation: string, object: unknown, oldObject: unknown) => {
  if (operation !== 'CREATE' && operation !== 'UPDATE') return undefined
  if (!object) return 'request.object'
  return operation === 'UPDATE' && !oldObject ? 'request.oldObject' : undefined
}

/** A DELETE has `object: null`, a CREATE `oldObject: null`. */
const isObject = (value: unknown): value is UncheckedObject | null | undefined =>
  value === undefined || value === null || (isRecord(value) && isRecord(value.metadata))

const textOr = (value: unknown, otherwise: string) =>
  typeof value === 'string' && value !== '' ? value : otherwise
