import type { AnyKind } from './kinds.ts'

/** What the API server calls the reason of a Status, and three of ours for answers that never came. */
export type Reason =
  | 'AlreadyExists'
  | 'Conflict'
  | 'Expired'
  | 'Forbidden'
  | 'Gone'
  | 'Invalid'
  | 'NotFound'
  | 'Timeout'
  | 'TooManyRequests'
  | 'Unauthorized'
  | 'Unreachable'
  | 'TimedOut'
  | 'Garbled'
  | (string & {})

/** The one error of a call to the API server. Its text never holds a request's body. */
export class ApiError extends Error {
  /** HTTP status; 0 if there was no answer. */
  readonly code: number
  readonly reason: Reason
  readonly retryAfterSeconds?: number

  constructor(code: number, reason: Reason, message: string, more: ApiErrorOptions = {}) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause })
    this.name = 'ApiError'
    this.code = code
    this.reason = reason
    if (more.retryAfterSeconds !== undefined) this.retryAfterSeconds = more.retryAfterSeconds
  }
}

interface ApiErrorOptions {
  retryAfterSeconds?: number | undefined
  cause?: unknown
}

/** A Status object, as far as it is read here. */
export interface Status {
  code?: number
  reason?: string
  message?: string
  details?: { causes?: { field?: string; reason?: string }[]; retryAfterSeconds?: number }
}

/** Reasons of answers that carry no Status, such as a proxy's in front of the API server. */
const reasons: Record<number, Reason> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  409: 'Conflict',
  410: 'Gone',
  413: 'RequestEntityTooLarge',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
}

const longestMessage = 512

/**
 * The error for a Status. `call` says what was asked, such as "apply of StatefulSet shop/db".
 * For kinds with secrets the server's text is left out, since it may quote the value that it dislikes:
 * only the fields' names are kept.
 */
export const fromStatus = (
  kind: AnyKind,
  call: string,
  code: number,
  status: Status,
  retryAfter?: number,
) => {
  const reason = status.reason || reasons[code] || 'Unknown'
  const retryAfterSeconds = retryAfter ?? status.details?.retryAfterSeconds
  const text = kind.sensitive ? fieldsOf(status) : (status.message ?? '').slice(0, longestMessage)
  return new ApiError(code, reason, `${call} failed: ${code} ${reason}${text && `: ${text}`}`, {
    retryAfterSeconds,
  })
}

const fieldsOf = (status: Status) =>
  (status.details?.causes ?? [])
    .map((cause) => [cause.field, cause.reason].filter(Boolean).join(' '))
    .filter(Boolean)
    .join(', ')
    .slice(0, longestMessage)

/** Whether the object named by the call is there already. */
export const alreadyExists = (error: unknown) => error instanceof ApiError && error.reason === 'AlreadyExists'

/** Whether somebody else wrote first, or the object is not the one that the precondition meant. */
export const conflict = (error: unknown) => error instanceof ApiError && error.reason === 'Conflict'

/** Whether the object named by the call is not there, or not any more. */
export const notFound = (error: unknown) => error instanceof ApiError && error.code === 404

/** Whether the history asked for is gone, so that only a new list helps. */
export const expired = (error: unknown) => error instanceof ApiError && error.code === 410
