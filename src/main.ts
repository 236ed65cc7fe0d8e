/** The only file that knows everyone: configuration, wiring, start, signals, stop. */
import { randomBytes } from 'node:crypto'
import type { Logger } from 'pino'
import { createBudget } from './admission/budget.ts'
import { keepCaBundle } from './admission/caBundle.ts'
import {
  type Certificate,
  type Certificates,
  keepCertificates,
  mounted,
  selfMade,
} from './admission/certificates.ts'
import { createLook } from './admission/lookups.ts'
import { mutate } from './admission/mutate.ts'
import type { Periodic } from './admission/periodic.ts'
import { admissionRoutes } from './admission/routes.ts'
import { validate } from './admission/validate.ts'
import { type Config, readConfig } from './config.ts'
import { healthRoutes } from './http/health.ts'
import { metricsRoutes } from './http/metrics.ts'
import { reconcileRoutes } from './http/reconcile.ts'
import { createRefusal } from './http/reviewers.ts'
import { createServer, type Server, serveDuring } from './http/server.ts'
import { type Client, createClient } from './kube/client.ts'
import { orAborted } from './kube/clock.ts'
import { connect } from './kube/config.ts'
import { createRecorder } from './kube/events.ts'
import { lead } from './kube/leading.ts'
import { LeaseElection } from './kube/lease.ts'
import { Queue } from './kube/queue.ts'
import { createLog, withoutText } from './log.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { operatorKey } from './operatorKey.ts'
import { createHasher, type Hasher } from './passwords/hasher.ts'
import { cachesProblem, type StartedCaches, startCaches } from './reconcile/caches.ts'
import type { OperatorAccount } from './reconcile/context.ts'
import { runController } from './reconcile/controller.ts'
import { Recent } from './reconcile/recent.ts'
import { until } from './reconcile/until.ts'

/** A resource's password may be changed so often at once, and once more after each of so many milliseconds. */
const guesses = { capacity: 10, refillMs: 6_000 }

const randomSuffix = () => randomBytes(5).toString('hex')

const startCertificates = async (config: Config, client: Client, log: Logger) => {
  const onError = (err: unknown) =>
    log.error({ err }, 'the certificate could not be looked after; tried again')
  const { namespace, serviceName, authoritySecret: secretName } = config
  const source =
    config.certificateFolder === ''
      ? selfMade({ client, namespace, serviceName, secretName, now: Date.now })
      : mounted(config.certificateFolder)
  const certificates = await keepCertificates(source, { onError })
  const bundle = keepCaBundle({
    client,
    name: config.webhookConfiguration,
    bundle: () => certificates.current().bundle,
    refresh: certificates.check,
    onError: (err) =>
      log.error({ err }, 'the CA could not be written into the webhook configurations; tried again'),
  })
  await bundle.run()
  return { certificates, bundle }
}

const onRun = (metrics: Metrics) => (seen: { failed: boolean; seconds: number; waitedSeconds: number }) => {
  metrics.reconciles.inc({ result: seen.failed ? 'error' : 'success' })
  metrics.reconcileSeconds.observe(seen.seconds)
  metrics.queueSeconds.observe(seen.waitedSeconds)
}

/** What the parts of the process share. */
interface Parts {
  config: Config
  log: Logger
  metrics: Metrics
  /** Serves every replica, and the election itself; the leader has one of its own, which writes only while it leads. */
  client: Client
  key: Buffer
  /** For reviews. The reconciler has one of its own: a flood of reviews must not keep it waiting. */
  hasher: Hasher
  ownHasher: Hasher
  certificates: Certificates
  /** Looks whether the webhook configurations trust the certificates. */
  bundle: Periodic
  caches: StartedCaches
}

const admission = ({ config, client, key, hasher, metrics, log }: Parts) =>
  admissionRoutes({
    mutate: mutate({
      key,
      hasher,
      randomSuffix,
      operatorNamespace: config.namespace,
      guesses: createBudget(guesses.capacity, guesses.refillMs, Date.now),
    }),
    validate: validate({ operatorNamespace: config.namespace, look: createLook({ client, key }) }),
    refusal: createRefusal(config),
    onFailure: (error, about) => log.error({ error: withoutText(error), ...about }, 'a review failed'),
    onReview: ({ handler, operation, result, seconds }) => {
      metrics.reviews.inc({ handler, operation, result })
      metrics.reviewSeconds.observe({ handler }, seconds)
    },
  })

const expired = (end: Date) => (end.getTime() > Date.now() ? undefined : `expired at ${end.toISOString()}`)

/** For people who look at `/readyz?verbose`; the metrics have the same in seconds. */
const validity = ({ expires, authorityExpires }: Certificate) =>
  `until ${expires.toISOString()}, its authority ${authorityExpires ? `until ${authorityExpires.toISOString()}` : 'is not known'}`

const health = ({ caches, certificates }: Parts, draining: () => boolean) =>
  healthRoutes({
    live: { process: () => undefined },
    ready: {
      running: () => (draining() ? 'the process is being stopped' : undefined),
      caches: () => cachesProblem(caches),
      certificate: () => expired(certificates.current().expires),
    },
    notes: { certificate: () => validity(certificates.current()) },
  })

const measurements = ({ config, client, metrics: { registry } }: Parts) =>
  metricsRoutes({
    client,
    protect: config.protectMetrics,
    read: async () => ({ text: await registry.metrics(), contentType: registry.contentType }),
  })

/** A server that listens, with the certificate that is current. */
const startServer = async (parts: Parts) => {
  const { config, log, client, certificates, bundle, caches } = parts
  const routes = [
    admission(parts),
    health(parts, () => server.draining()),
    measurements(parts),
    reconcileRoutes({ client, until: (...args) => until(caches, ...args) }),
  ]
  const server: Server = await createServer(certificates.current(), routes, log, config.clientCA)
  const follow = async () => {
    // First those who have to trust it.
    await bundle.run()
    const { expires, authorityExpires } = certificates.current()
    server.swap(certificates.current())
    log.info({ expires, authorityExpires }, 'the certificate, or what clients are told to trust, has changed')
  }
  const onError = (err: unknown) => log.error({ err }, 'the certificate could not be taken into use')
  certificates.onChange(() => void follow().catch(onError))
  await server.listen(config.port)
  log.info({ port: config.port }, 'listening')
  return server
}

const candidate = (config: Config, client: Client, log: Logger) => {
  const acquired = Promise.withResolvers<void>()
  const election = new LeaseElection(client, {
    namespace: config.namespace,
    name: config.leaseName,
    identity: `${config.podName}_${randomSuffix()}`,
    onAcquired: acquired.resolve,
    onError: (err) => log.warn({ err }, 'the Lease could not be reached; tried again'),
  })
  return { election, acquired: acquired.promise }
}

/** The work of the leader. `fenced` writes only while it is one. */
const reconciling =
  ({ config, log, caches, ownHasher, key }: Parts, fenced: Client, queue: Queue) =>
  async (signal: AbortSignal): Promise<void> => {
    log.info('leading: reconciling from now on')
    await orAborted(caches.synced, signal)
    if (signal.aborted) return
    const record = createRecorder(fenced, {
      instance: config.podName,
      onError: (err, event) => log.warn({ err, event: event.reason }, 'an event could not be written'),
    })
    const context = {
      client: fenced,
      caches,
      hasher: ownHasher,
      operatorKey: key,
      generatedPasswordLength: config.generatedPasswordLength,
      record,
      accountsSeen: new Recent<OperatorAccount>(),
      hashesSeen: new Recent<true>(),
      now: () => new Date(),
    }
    await runController(context, caches, queue, log, signal)
  }

/** Runs until `signal` aborts, and then ends what it began. Rejects if it cannot start, or loses the Lease. */
const run = async (config: Config, log: Logger, signal: AbortSignal): Promise<void> => {
  const connection = await connect()
  const metrics = createMetrics({
    leading: () => election.held(),
    queueDepth: () => queue.depth,
    mysqls: () => caches.mysqls.list(),
    silence: () => caches.silence().longest,
    informers: () => caches.counts(),
    leafExpiry: () => certificates.current().expires,
    authorityExpiry: () => certificates.current().authorityExpires,
  })
  const onRequest = ({ verb, plural, code }: { verb: string; plural: string; code: number }) =>
    metrics.apiRequests.inc({ verb, resource: plural, code })
  const client = createClient(connection, { onRequest })
  const { election, acquired } = candidate(config, client, log)
  const fenced = createClient(connection, { onRequest, beforeWrite: election.fence })
  const queue = new Queue({
    onError: (mysql, err, tries) =>
      log.warn({ mysql, err, tries }, 'a reconcile failed and will be tried again'),
    onRun: onRun(metrics),
  })
  const key = await operatorKey(client, config.namespace, config.keySecret)
  const onHash = () => metrics.passwordsHashed.inc()
  const [hasher, ownHasher] = [createHasher({ onHash }), createHasher({ onHash })]
  const { certificates, bundle } = await startCertificates(config, client, log)
  // Not `signal`: the work needs the caches until its end.
  const watching = new AbortController()
  const caches = startCaches(client, {
    namespaces: config.watchNamespaces,
    signal: watching.signal,
    onError: (err, kind) => log.warn({ err, kind }, 'the cache could not be kept up to date; tried again'),
  })

  const parts = { config, log, metrics, client, key, hasher, ownHasher, certificates, bundle, caches }
  const server = await startServer(parts)
  const work = reconciling(parts, fenced, queue)
  const leading = () => lead({ election, acquired, work, signal })
  await serveDuring(server, signal, leading, { drainMs: config.drainSeconds * 1000 })
  bundle.stop()
  certificates.stop()
  watching.abort()
  await Promise.all([hasher.close(), ownHasher.close()])
  await connection.close()
}

const config = readConfig(process.env)
const log = createLog(config.logLevel)
const stopping = new AbortController()
for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stopping.abort(new Error(name)))
try {
  await run(config, log, stopping.signal)
} catch (err) {
  log.fatal({ err }, 'the operator ends')
  process.exitCode = 1
}
// Whatever still waits (a retry, an idle connection) must not keep the process.
process.exit()
