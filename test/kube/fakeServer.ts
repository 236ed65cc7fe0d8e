import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Agent } from 'undici'
import type { Connection } from '../../src/kube/config.ts'
import { createStore, jsonPatch, merge, parsePath, type Stored, selects } from './fakeStore.ts'

export interface Seen {
  method: string
  path: string
  query: URLSearchParams
  headers: IncomingHttpHeaders
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of every kind
  body: any
}

/** What a request gets instead of its answer. */
export type Fault =
  | { do: 'status'; code: number; body?: unknown; headers?: Record<string, string> }
  | { do: 'reset' }
  | { do: 'hang' }
  /** The change is made, but its answer is lost. */
  | { do: 'loseAnswer' }
  /** A watch that is opened and ended at once. */
  | { do: 'end' }
  /** A watch whose only event is an ERROR with this code. */
  | { do: 'errorEvent'; code: number }

interface Watcher {
  collection: string
  selector: string | null
  response: ServerResponse
}

const send = ({ response }: Watcher, type: string, object: unknown) =>
  response.write(`${JSON.stringify({ type, object })}\n`)

const answer = (response: ServerResponse, code: number, body: unknown) => {
  response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

const refuse = (response: ServerResponse, code: number, reason: string) =>
  answer(response, code, { kind: 'Status', code, reason, message: `${reason} by the fake` })

const received = async (request: IncomingMessage): Promise<Seen> => {
  const url = new URL(request.url ?? '', 'http://fake')
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  const text = Buffer.concat(chunks).toString()
  const body = text ? JSON.parse(text) : undefined
  return {
    method: request.method ?? '',
    path: url.pathname,
    query: url.searchParams,
    headers: request.headers,
    body,
  }
}

const meets = (wanted: Partial<Stored['metadata']> | undefined, object: Stored | undefined) =>
  (['uid', 'resourceVersion'] as const).every((field) => {
    return !wanted?.[field] || wanted[field] === object?.metadata[field]
  })

const isApply = ({ headers }: Seen) => headers['content-type']?.startsWith('application/apply-patch') ?? false

/** `before` after a patch; an apply is a merge here, and leaves its mark in managedFields. */
const changed = (seen: Seen, before: Stored | undefined): Stored | undefined => {
  if (Array.isArray(seen.body)) return jsonPatch(before, seen.body)
  const next = merge(before, seen.body)
  if (!isApply(seen)) return next
  const manager = seen.query.get('fieldManager') ?? ''
  const others = before?.metadata.managedFields ?? []
  const rest = others.filter((one) => one.manager !== manager || one.operation !== 'Apply')
  next.metadata.managedFields = [...rest, { manager, operation: 'Apply' }]
  return next
}

/** As much of a kube-apiserver as the tests of this room need, over real HTTP, with faults to order. */
export const startFakeServer = async () => {
  const watchers = new Set<Watcher>()
  const muted = new Set<string>()
  const faults: { match: (seen: Seen) => boolean; fault: Fault; times: number }[] = []
  const requests: Seen[] = []
  let largestPage = Number.POSITIVE_INFINITY
  const store = createStore(({ type, path, object }) => {
    for (const watcher of watchers)
      if (
        !muted.has(parsePath(watcher.collection).plural) &&
        selects(watcher.collection, watcher.selector, path, object)
      )
        send(watcher, type, object)
  })

  const list = ({ path, query }: Seen, response: ServerResponse) => {
    const all = [...store.objects]
      .filter(([at, object]) => selects(path, query.get('labelSelector'), at, object))
      .map(([, { apiVersion, kind, ...item }]) => item)
    const [snapshot = store.rv, from = 0] = query.get('continue')?.split(':').map(Number) ?? []
    if (snapshot < store.oldest) return refuse(response, 410, 'Expired')
    const size = query.has('limit') ? Math.min(Number(query.get('limit')), largestPage) : all.length
    const next = from + size < all.length ? `${snapshot}:${from + size}` : ''
    const metadata = { resourceVersion: String(snapshot), continue: next }
    answer(response, 200, { kind: 'List', metadata, items: all.slice(from, from + size) })
  }

  const watch = ({ path, query }: Seen, response: ServerResponse, fault: Fault | undefined) => {
    const since = Number(query.get('resourceVersion'))
    if (since < store.oldest) return refuse(response, 410, 'Expired')
    const watcher = { collection: path, selector: query.get('labelSelector'), response }
    response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders()
    if (fault?.do === 'end') return response.end()
    if (fault?.do === 'errorEvent') {
      send(watcher, 'ERROR', { kind: 'Status', code: fault.code, reason: 'Expired', message: 'too old' })
      return response.end()
    }
    for (const change of store.history)
      if (change.rv > since && selects(path, watcher.selector, change.path, change.object))
        send(watcher, change.type, change.object)
    watchers.add(watcher)
    response.on('close', () => watchers.delete(watcher))
  }

  const create = ({ path, query, body }: Seen, response: ServerResponse) => {
    if (path.endsWith('reviews')) return answer(response, 201, { ...body, status: { allowed: true } })
    const at = `${path}/${body.metadata.name}`
    if (store.objects.has(at)) return refuse(response, 409, 'AlreadyExists')
    const managedFields = [{ manager: query.get('fieldManager') ?? '', operation: 'Update' }]
    answer(response, 201, store.put(at, { ...body, metadata: { ...body.metadata, managedFields } }))
  }

  const change = (seen: Seen, response: ServerResponse) => {
    const { method, path, body } = seen
    const { subresource } = parsePath(path)
    const at = subresource ? path.slice(0, -subresource.length - 1) : path
    const before = store.objects.get(at)
    if (!before && !isApply(seen)) return refuse(response, 404, 'NotFound')
    if (!meets(body?.preconditions ?? body?.metadata, before)) return refuse(response, 409, 'Conflict')
    if (method === 'DELETE') {
      store.drop(at)
      return answer(response, 200, { kind: 'Status', status: 'Success' })
    }
    const next = changed(seen, before)
    return next ? answer(response, 200, store.put(at, next)) : refuse(response, 422, 'Invalid')
  }

  const respond = (seen: Seen, response: ServerResponse, fault: Fault | undefined) => {
    if (isWatch(seen)) return watch(seen, response, fault)
    if (isList(seen)) return list(seen, response)
    if (seen.method === 'POST') return create(seen, response)
    if (seen.method !== 'GET') return change(seen, response)
    const object = store.objects.get(seen.path)
    return object ? answer(response, 200, object) : refuse(response, 404, 'NotFound')
  }

  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const seen = await received(request)
    requests.push(seen)
    const due = faults.find((one) => one.times > 0 && one.match(seen))
    if (due) due.times--
    const fault = due?.fault
    switch (fault?.do) {
      case 'hang':
        return
      case 'reset':
        return request.socket.resetAndDestroy()
      case 'status':
        return response
          .writeHead(fault.code, fault.headers ?? {})
          .end(typeof fault.body === 'string' ? fault.body : JSON.stringify(fault.body ?? {}))
      case 'loseAnswer':
        response.end = () => request.socket.resetAndDestroy() as never
    }
    respond(seen, response, fault)
  }

  const server = createServer((request, response) => {
    // A request that its sender broke off has nobody left to answer.
    handle(request, response).catch(() => request.socket.destroy())
  })
  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  await listen(0)
  const { port } = server.address() as AddressInfo
  const down = () => {
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeAllConnections()
    return closed
  }
  const dispatcher = new Agent({ connections: 64, connect: { timeout: 2_000 } })
  const connection: Connection = {
    server: `http://127.0.0.1:${port}`,
    headers: async () => ({ authorization: 'Bearer test' }),
    dispatcher,
    close: () => dispatcher.destroy(),
  }

  return {
    connection,
    requests,
    watchers,
    store,
    /** What was asked to change something. */
    writes: () => requests.filter((seen) => seen.method !== 'GET'),
    /** Puts an object in, or changes it, as somebody else would. */
    put: (collection: string, object: Stored) => store.put(`${collection}/${object.metadata.name}`, object),
    /** The next `times` requests that match get `fault`; `left` tells how many are still due. */
    inject(fault: Fault, match: (seen: Seen) => boolean, times = 1) {
      const entry = { match, fault, times }
      faults.push(entry)
      const stop = () => {
        entry.times = 0
      }
      return { left: () => entry.times, stop }
    },
    /** From now on watches of this plural do not hear of changes. */
    mute: (plural: string) => muted.add(plural),
    unmute: (plural: string) => muted.delete(plural),
    bookmark() {
      const resourceVersion = String(++store.rv)
      for (const watcher of watchers) send(watcher, 'BOOKMARK', { metadata: { resourceVersion } })
      return resourceVersion
    },
    /** Ends every watch: cleanly as after timeoutSeconds, by a reset, or within an event. */
    endWatches(how: 'cleanly' | 'reset' | 'within an event') {
      for (const { response } of watchers) {
        if (how === 'reset') response.socket?.resetAndDestroy()
        else response.end(how === 'cleanly' ? '' : '{"type":"MODI')
      }
    },
    /** Forgets the history: watches and pages from before are Expired. */
    compact() {
      store.oldest = ++store.rv
    },
    limitPages(size: number) {
      largestPage = size
    },
    /** Refuses connections until `up`, on the same port. */
    down,
    up: () => listen(port),
    async stop() {
      await dispatcher.destroy()
      await down()
    },
  }
}

export type FakeServer = Awaited<ReturnType<typeof startFakeServer>>

export const isWatch = (seen: Seen) => seen.query.get('watch') === 'true'
export const isList = (seen: Seen) =>
  seen.method === 'GET' && !isWatch(seen) && parsePath(seen.path).name === undefined
