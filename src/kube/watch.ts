import type { TypedResource } from '../api/resource.ts'
import { deadline } from './clock.ts'
import { ApiError, fromStatus, type Status } from './errors.ts'
import { type Call, describe, type Transport, timedOut } from './transport.ts'

/** A change. A BOOKMARK only says how far the server is: its object has nothing but a resourceVersion. */
export interface WatchEvent<T> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'
  object: T
}

/**
 * The events of a watch, until the server ends it. Throws an ApiError when it breaks, and the Status of an ERROR event.
 * Silence longer than `inactivityMs` counts as broken: on a half-open connection nothing else would tell.
 */
export async function* readWatch<T extends TypedResource>(
  transport: Transport,
  call: Call,
  inactivityMs: number,
): AsyncGenerator<WatchEvent<T>, void, undefined> {
  const limit = deadline(transport.clock, () => timedOut(call), call.signal)
  try {
    const body = await transport.stream(call, limit)
    limit.restart(inactivityMs)
    for await (const line of lines(body, () => limit.restart(inactivityMs))) yield eventOf<T>(call, line)
  } catch (error) {
    if (limit.signal.aborted) throw limit.signal.reason
    if (error instanceof ApiError) throw error
    throw new ApiError(0, 'Unreachable', `${describe(call)} broke off; it is started again`, { cause: error })
  } finally {
    limit.done()
  }
}

async function* lines(body: AsyncIterable<Buffer>, onChunk: () => void) {
  let parts: Buffer[] = []
  for await (const chunk of body) {
    onChunk()
    let start = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      parts.push(chunk.subarray(start, end))
      yield Buffer.concat(parts).toString('utf8')
      parts = []
      start = end + 1
    }
    if (start < chunk.length) parts.push(chunk.subarray(start))
  }
  if (parts.length > 0) throw new Error('the stream ended within an event')
}

const eventOf = <T extends TypedResource>(call: Call, line: string): WatchEvent<T> => {
  const { type, object } = JSON.parse(line) as { type: string; object: T & Status }
  if (type === 'ERROR') throw fromStatus(call.kind, describe(call), object.code ?? 500, object)
  object.apiVersion = call.kind.apiVersion
  object.kind = call.kind.kind
  return { type: type as WatchEvent<T>['type'], object }
}
