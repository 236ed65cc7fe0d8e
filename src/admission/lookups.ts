/** What only the cluster can tell about a resource that breaks no rule of its own. */
import type { MySQL } from '../api/mysql.ts'
import { accounts } from '../api/names.ts'
import { type Inquiry, type Seen, together } from './looks/inquiry.ts'
import { lookAtQuota } from './looks/quota.ts'
import { lookAtReference } from './looks/secrets.ts'
import { lookAtStorageClass } from './looks/storageClass.ts'
import { lookAtNames } from './looks/takenNames.ts'
import type { AdmissionRequest } from './review.ts'

export type Look = (request: AdmissionRequest, now: MySQL, was?: MySQL) => Promise<Seen>

export interface LookupOptions {
  client: Inquiry['client']
  /** The operator key: it tells which references are of the operator's own making. */
  key: Buffer
  /** Milliseconds for all look-ups of one review together; the webhook itself has five seconds. */
  limitMs?: number
}

/**
 * Makes all look-ups at once. What cannot be found out in time becomes a warning, but for the right to read a Secret: that
 * nobody answered is no permission.
 */
export const createLook =
  ({ client, key, limitMs = 1500 }: LookupOptions): Look =>
  async (request, now, was) => {
    const inquiry: Inquiry = { client, request, now, was, signal: AbortSignal.timeout(limitMs) }
    return together(
      await Promise.all([
        lookAtStorageClass(inquiry),
        ...accounts.map((account) => lookAtReference(inquiry, account, key)),
        lookAtNames(inquiry),
        lookAtQuota(inquiry),
      ]),
    )
  }
