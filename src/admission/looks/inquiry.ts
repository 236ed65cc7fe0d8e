/** What a look at the cluster is given, and what it may say. */
import type { MySQL } from '../../api/mysql.ts'
import { explain, type Refusal, type Violation } from '../../api/rule.ts'
import { mayAccess } from '../../kube/access.ts'
import type { Client } from '../../kube/client.ts'
import type { AnyKind } from '../../kube/kinds.ts'
import type { AdmissionRequest } from '../review.ts'

/** What the look-ups found. */
export interface Seen {
  violations: Violation[]
  warnings: string[]
}

/** Everything that a look-up needs to know of its review. */
export interface Inquiry {
  client: Pick<Client, 'get' | 'list' | 'review'>
  request: AdmissionRequest
  now: MySQL
  /** The stored resource on an update. */
  was: MySQL | undefined
  /** Aborts when the time for all look-ups together is over. */
  signal: AbortSignal
}

export const nothing: Seen = { violations: [], warnings: [] }
export const refusal = (field: string, why: Refusal): Seen => ({
  violations: [{ field, message: explain(why) }],
  warnings: [],
})
/** At most 256 characters each, or the API server cuts them off. */
export const warning = (...warnings: string[]): Seen => ({ violations: [], warnings })

export const together = (seen: readonly Seen[]): Seen => ({
  violations: seen.flatMap(({ violations }) => violations),
  warnings: seen.flatMap(({ warnings }) => warnings),
})

/**
 * Whether the writer of the MySQL may do that to objects of a kind in its namespace; without a name: to all of them.
 * Writing a MySQL must not be a way to read what one may not read.
 */
export const writerMay = (
  { client, request, signal }: Inquiry,
  verb: 'get' | 'list',
  { apiVersion, plural }: AnyKind,
  name?: string,
): Promise<Answered<boolean>> => {
  const slash = apiVersion.indexOf('/')
  const resource = {
    ...(slash < 0 ? {} : { group: apiVersion.slice(0, slash) }),
    resource: plural,
    verb,
    namespace: request.namespace,
    ...(name === undefined ? {} : { name }),
  }
  return answered(signal, () => mayAccess(client, request.userInfo, { resource }, { signal }))
}

export type Answered<T> = { inTime: true; value: T } | { inTime: false; value?: undefined }

/** The answer of a call, or that there was none in time. Why does not matter here: the reconciler meets it again and tells. */
export const answered = async <T>(signal: AbortSignal, call: () => Promise<T>): Promise<Answered<T>> => {
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
