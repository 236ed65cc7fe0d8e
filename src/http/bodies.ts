import type { IncomingMessage, ServerResponse } from 'node:http'
import { createShares } from './shares.ts'

/**
 * Bytes of a body. A review carries an object and its predecessor, each up to 3 MB in the API server, plus its own envelope:
 * the limit of controller-runtime, for its reason.
 */
export const bodyLimit = 7 * 1024 * 1024

/** A review of a MySQL is far smaller, so what is not above this is never held up by what is. */
const smallBody = 64 * 1024

/** Bytes of bodies under way at the same time. JSON of small things takes twenty times its length in the heap. */
const limits = {
  small: { inAll: 32 * smallBody, ofOneAddress: 24 * smallBody },
  large: { inAll: 2 * bodyLimit, ofOneAddress: 2 * bodyLimit },
}

/** An API server sends the largest one in less, and has no more than some of them left to wait for the answer. */
const slowMs = 2_000

/** What the body will take up, in bytes: the most there is for one that does not say. */
const bytesOf = ({ headers }: IncomingMessage) => {
  if (headers['transfer-encoding'] !== undefined) return bodyLimit
  const length = Number(headers['content-length'] ?? 0)
  return Math.min(length, bodyLimit)
}

/**
 * Admits requests by the size of their body, before it is read. Anybody who reaches the port can post, and enough bodies
 * would take all memory, and with it the Lease. One that has to wait is answered with 503 and Retry-After: the client in
 * the API server then asks again by itself, as long as its time for the webhook lasts, so that only a review at a bad
 * moment is late or, after that, fails. The connection is kept: its end could overtake the answer. A body that does not
 * come to its end makes way for the next one, or a few that are sent a byte at a time would keep every other out.
 */
export const createGate = (now = () => performance.now()) => {
  const take = { small: createShares(limits.small), large: createShares(limits.large) }
  return (request: IncomingMessage, response: ServerResponse): boolean => {
    const amount = bytesOf(request)
    if (amount === 0) return true
    const since = now()
    const share = take[amount > smallBody ? 'large' : 'small']({
      from: request.socket.remoteAddress ?? '',
      amount,
      idle: () => !request.complete && now() - since > slowMs,
      end: () => request.socket.destroy(),
    })
    if (!share) return false
    response.once('close', share.release)
    return true
  }
}
