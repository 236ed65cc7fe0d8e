import type { ServerOptions } from 'node:https'
import { networkInterfaces } from 'node:os'
import type { SecureContextOptions } from 'node:tls'
import { promisify } from 'node:util'
import Fastify, { type FastifyInstance, type FastifyPluginAsync, type FastifyReply } from 'fastify'
import type { Logger } from 'pino'
import { type Clock, sleep, systemClock } from '../kube/clock.ts'
import { bodyLimit, createGate } from './bodies.ts'
import { limitConnections } from './connections.ts'
import { isTooComplex } from './json.ts'

/** The serving certificate and its key, PEM. */
type Served = Required<Pick<SecureContextOptions, 'cert' | 'key'>>

export interface Server {
  app: FastifyInstance
  listen(port: number): Promise<void>
  /** New handshakes get this certificate; connections that are open keep theirs. */
  swap(pair: Served): void
  /** From now on every answer ends its connection, so that the API server opens its next one to another replica. */
  drain(): void
  /** Whether it drains: then this replica must not be found ready. */
  draining(): boolean
  /**
   * Resolves when nobody is connected and nobody has posted anything for `quietMs`: who still opens connections has not
   * heard yet that this replica has left. In any case after 95 s.
   */
  deserted(quietMs: number): Promise<void>
  /** Stops listening and finishes what is under way; what takes longer than `limitMs` (10 s) is broken off. */
  close(limitMs?: number): Promise<void>
}

/** Go closes an idle connection after 90 seconds. If the server were first, a review sent at that moment would be lost. */
const keepAliveTimeout = 95_000

/**
 * Until a request has come to its end, counted from the opening of a connection for the first one. Go may keep one idle that
 * was not used yet. Who is slow on purpose makes way when the place is needed.
 */
const requestTimeout = keepAliveTimeout

/** Addresses of both families; of IPv4 alone on a node where IPv6 is switched off, and `::` would be an error. */
const everyAddress = () =>
  Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ family }) => family === 'IPv6'))
    ? '::'
    : '0.0.0.0'

const plain = (reply: FastifyReply, code: number, text: string) =>
  reply.code(code).type('text/plain').send(`${text}\n`)

/**
 * Certificates of clients are asked for where there is a CA to check them with. Who has none gets in too, for health and
 * metrics; what a certificate is needed for is said at the route.
 */
const tlsOptions = ({ cert, key }: Served, clientCA: string): ServerOptions => ({
  cert,
  key,
  minVersion: 'TLSv1.2',
  headersTimeout: requestTimeout,
  ...(clientCA === '' ? {} : { ca: clientCA, requestCert: true, rejectUnauthorized: false }),
})

/** JSON that is parsed only if it is no more than a review can be, and has no key like __proto__, which is an attack. */
const parseJSON = (app: FastifyInstance) => {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (!isTooComplex(body)) return parse(request, body, done)
    done(Object.assign(new Error(), { statusCode: 413, code: 'TOO_COMPLEX' }))
  })
}

/** The one HTTPS server, with the routes of `plugins`. Bodies are never logged. `clientCA` is PEM, or empty. */
export const createServer = async (
  pair: Served,
  plugins: readonly FastifyPluginAsync[],
  log: Logger,
  clientCA = '',
): Promise<Server> => {
  let draining = false
  let postedAt = Number.NEGATIVE_INFINITY
  const app = Fastify({
    https: tlsOptions(pair, clientCA),
    bodyLimit,
    keepAliveTimeout,
    requestTimeout,
    logger: false,
    // Requests for the old process keep coming over open connections while it drains; they are answered.
    return503OnClosing: false,
  })
  limitConnections(app.server)
  // JSON alone; Fastify answers anything else with 415.
  parseJSON(app)
  const admits = createGate()
  app.addHook('onRequest', async (request, reply) => {
    // Not what is only asked for: the kubelet goes on doing that to the end.
    if (request.method === 'POST') postedAt = performance.now()
    if (admits(request.raw, reply.raw)) return
    return plain(reply.header('retry-after', '1'), 503, 'too many requests at once: try again in a second')
  })
  app.addHook('onSend', async (_request, reply) => {
    if (draining) reply.header('connection', 'close')
  })
  app.setErrorHandler((error: { statusCode?: number; name?: string; code?: string }, request, reply) => {
    const code = error.statusCode ?? 500
    // The message of a parser can quote the body, so only its name gets out.
    if (code >= 500) log.error({ url: request.url, error: error.name, code: error.code }, 'a request failed')
    return plain(
      reply,
      code,
      code >= 500 ? 'internal error: see the log of the operator' : (error.code ?? 'bad request'),
    )
  })
  app.setNotFoundHandler((_request, reply) => plain(reply, 404, 'no such path'))
  for (const plugin of plugins) await app.register(plugin)
  return {
    app,
    listen: async (port) => {
      await app.listen({ port, host: everyAddress() })
    },
    swap: (next) => {
      const server = app.server as unknown as { setSecureContext(options: object): void }
      server.setSecureContext(tlsOptions(next, clientCA))
    },
    drain: () => {
      if (!draining) log.info('draining: from now on not ready, and clients are sent to another replica')
      draining = true
    },
    draining: () => draining,
    deserted: async (quietMs) => {
      const connections = promisify(app.server.getConnections.bind(app.server))
      const end = performance.now() + keepAliveTimeout
      const inUse = async () => (await connections()) > 0 || performance.now() - postedAt < quietMs
      while ((await inUse()) && performance.now() < end) await sleep(systemClock, 250)
    },
    close: async (limitMs = 10_000) => {
      const limit = Promise.withResolvers<void>()
      const timer = setTimeout(() => {
        log.warn('some connections did not end in time and are broken off')
        app.server.closeAllConnections()
        // It knows of HTTP only: a connection in the middle of its handshake is left to the end of the process.
        limit.resolve()
      }, limitMs)
      try {
        await Promise.race([app.close(), limit.promise])
      } finally {
        clearTimeout(timer)
      }
    },
  }
}

export interface ServeOptions {
  /** So long nothing may have come before it is certain that everybody has left, in milliseconds; 0: close at once. */
  drainMs: number
  clock?: Clock
}

/**
 * Runs `task` while `server` serves, and drains it when `signal` aborts or the task has ended or failed, whichever is
 * first: readiness fails, requests are still answered, and each answer ends its connection, so that the API server comes
 * to another replica. It does not send a review again that was refused or broke with its connection, so nothing is
 * closed that somebody may be about to use: an idle connection is left to the API server, which lets go of it after 90
 * seconds.
 */
export const serveDuring = async (
  server: Pick<Server, 'drain' | 'deserted' | 'close'>,
  signal: AbortSignal,
  task: () => Promise<void>,
  { drainMs, clock = systemClock }: ServeOptions,
): Promise<void> => {
  let drained: Promise<unknown> | undefined
  const drain = () => {
    server.drain()
    if (drainMs > 0) drained ??= Promise.all([sleep(clock, drainMs), server.deserted(drainMs)])
  }
  signal.addEventListener('abort', drain, { once: true })
  if (signal.aborted) drain()
  try {
    await task()
  } finally {
    signal.removeEventListener('abort', drain)
    drain()
    await drained
    await server.close()
  }
}
