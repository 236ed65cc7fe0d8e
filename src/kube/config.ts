import type { RequestOptions } from 'node:https'
import { KubeConfig } from '@kubernetes/client-node'
import { Agent, type Dispatcher } from 'undici'
import { type Clock, systemClock } from './clock.ts'

/** Where the API server is and how it is spoken to. */
export interface Connection {
  /** Its URL; may have a path. */
  readonly server: string
  /** The credentials of a request. Asked for each time, since tokens are exchanged under a running process. */
  headers(): Promise<Record<string, string>>
  /** One pool of kept-alive connections for everything that ends. */
  readonly dispatcher: Dispatcher
  /** Where watches go, each of which keeps a connection; without it, they share the pool. */
  readonly watchDispatcher?: Dispatcher | undefined
  /** Closes every connection; requests under way are broken off. */
  close(): Promise<void>
}

export interface ConnectionOptions {
  /** A kubeconfig file. Without it: `KUBECONFIG`, `~/.kube/config`, or the pod's service account. */
  kubeconfig?: string | undefined
  /** A context of it other than the current one. */
  context?: string | undefined
  clock?: Clock
}

/** How long a header is used before the token is looked at again, in milliseconds. */
const headersLast = 10_000

/**
 * HTTP/1.1 on purpose: with HTTP/2 one half-open connection would hold every watch and the lease's renewal at once.
 * Watches do not count: each keeps a connection, and with enough of them (one for each kind and watched namespace)
 * nothing else would find one free.
 * Linux probes an idle connection after `keepAliveInitialDelay` ten times a second apart (libuv sets that), so that a
 * half-open one breaks after about 25 seconds.
 */
const bound = { connections: 64 } as const
const http = { allowH2: false, keepAliveTimeout: 30_000, connectTimeout: 10_000 } as const
const tcp = { keepAlive: true, keepAliveInitialDelay: 15_000 } as const

/** Finds the cluster and the credentials as kubectl does, or as a pod's service account. */
export const connect = async (options: ConnectionOptions = {}): Promise<Connection> => {
  const clock = options.clock ?? systemClock
  const config = load(options)
  const cluster = config.getCurrentCluster()
  if (!cluster)
    throw new Error('No cluster is configured: set KUBECONFIG, or run in a pod with a service account')
  if (cluster.proxyUrl)
    throw new Error(`Cluster ${cluster.name} has a proxy-url, which is not supported: remove it`)

  const tls: RequestOptions = { headers: {} }
  await config.applyToHTTPSOptions(tls)
  const { ca, cert, key, pfx, passphrase, servername, rejectUnauthorized } = tls
  const given = Object.entries({ ca, cert, key, pfx, passphrase, servername, rejectUnauthorized })
  const connector = { ...tcp, ...Object.fromEntries(given.filter(([, value]) => value !== undefined)) }
  const dispatcher = new Agent({ ...http, ...bound, connect: connector })
  const watchDispatcher = new Agent({ ...http, connect: connector })

  let known: { at: number; headers: Record<string, string> } | undefined
  return {
    server: cluster.server,
    dispatcher,
    watchDispatcher,
    async headers() {
      if (known && clock.now() - known.at < headersLast) return known.headers
      const request: RequestOptions = { headers: {} }
      await config.applyToHTTPSOptions(request)
      known = { at: clock.now(), headers: credentials(request) }
      return known.headers
    },
    async close() {
      await Promise.all([dispatcher.destroy(), watchDispatcher.destroy()])
    },
  }
}

const load = ({ kubeconfig, context }: ConnectionOptions) => {
  const config = new KubeConfig()
  if (kubeconfig) config.loadFromFile(kubeconfig)
  else config.loadFromDefault()
  if (context) config.setCurrentContext(context)
  return config
}

const credentials = (request: RequestOptions): Record<string, string> => {
  const headers = Object.entries({ ...request.headers }).map(([name, value]) => [
    name.toLowerCase(),
    String(value).trim(),
  ])
  const basic = request.auth ? { authorization: `Basic ${Buffer.from(request.auth).toString('base64')}` } : {}
  return { ...basic, ...Object.fromEntries(headers) }
}
