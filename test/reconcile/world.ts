/**
 * A small world for whole lives of a MySQL: an API server's store, and somebody who plays kubelet, controllers and mysqld.
 * It can end the operator after any write, and show it caches that lag behind. The real ones have the last word, in
 * test/cluster; here every place of a crash can be tried.
 */
import jsonPatch, { type Operation } from 'fast-json-patch'
import { pino } from 'pino'
import { labels, manager } from '../../src/api/names.ts'
import type { TypedResource } from '../../src/api/resource.ts'
import type { Client } from '../../src/kube/client.ts'
import { ApiError } from '../../src/kube/errors.ts'
import type * as kinds from '../../src/kube/kinds.ts'
import type { Caches } from '../../src/reconcile/caches.ts'
import type { Context, OperatorAccount } from '../../src/reconcile/context.ts'
import { Recent } from '../../src/reconcile/recent.ts'
import { reconcile } from '../../src/reconcile/reconcile.ts'
import { hash, nativeHash } from '../desired/cases.ts'

// biome-ignore lint/suspicious/noExplicitAny: objects of every kind are walked here, as a server walks them
type Any = any
type Loose = TypedResource & { spec?: Any; status?: Any; data?: Any; type?: string }
type Objects = Map<string, Loose>

const forgetful = () => ({ accountsSeen: new Recent<OperatorAccount>(), hashesSeen: new Recent<true>() })

/** The operator's process ends here; what it wrote last has been stored. */
export class Crash extends Error {}

const idOf = (kind: string, namespace: string | undefined, name: string) =>
  `${kind} ${namespace ?? ''}/${name}`

/** What the database itself knows; it lives on the data claim. */
interface Database {
  open: boolean
  restoredFrom: string | null
  /** The Secret whose hash each account has, and that of its second password. */
  passwords: Record<string, string>
  old: Record<string, string>
}

export class World {
  objects: Objects = new Map()
  /** What the caches show. */
  seen: Objects = new Map()
  /** Every write of the operator, as `verb Kind name`. */
  writes: string[] = []
  crashAfter = Number.POSITIVE_INFINITY
  /** One process all the time, but for crashes. Else each run is that of a process that has just started. */
  remembers = false
  /** How often each Secret was read, by name. */
  reads = new Map<string, number>()
  #memory = forgetful()
  dumps: string[] = []
  verified: string[] = []
  events: string[] = []
  databases = new Map<string, Database>()
  #uid = 0
  #rv = 0
  #now = Date.parse('2026-01-02T03:04:05Z')

  /** Its time, in milliseconds since 1970. */
  get now(): number {
    return this.#now
  }

  get(kind: string, name: string): Loose | undefined {
    return this.objects.get(idOf(kind, 'team', name))
  }

  put(object: Loose): Loose {
    const stored = structuredClone(object)
    const id = idOf(stored.kind, stored.metadata.namespace, stored.metadata.name)
    const before = this.objects.get(id)
    stored.metadata.uid ??=
      before?.metadata.uid ?? `00000000-0000-4000-8000-${String(++this.#uid).padStart(12, '0')}`
    stored.metadata.resourceVersion = String(++this.#rv)
    stored.metadata.creationTimestamp ??= new Date(this.#now).toISOString()
    const changed = before !== undefined && JSON.stringify(before.spec) !== JSON.stringify(stored.spec)
    stored.metadata.generation =
      (before?.metadata.generation ?? 0) + (before === undefined || changed ? 1 : 0)
    this.objects.set(id, stored)
    return stored
  }

  /** Sets the deletionTimestamp; the object goes when nothing holds it. */
  remove(object: Loose) {
    object.metadata.deletionTimestamp ??= new Date(this.#now).toISOString()
    this.put(object)
    if (!object.metadata.finalizers?.length && !['StatefulSet', 'Job'].includes(object.kind))
      this.#forget(object)
  }

  #forget({ kind, metadata }: Loose) {
    this.objects.delete(idOf(kind, metadata.namespace, metadata.name))
    for (const other of [...this.objects.values()]) {
      if (other.metadata.ownerReferences?.some(({ uid }) => uid === metadata.uid)) this.#forget(other)
    }
  }

  #written(verb: string, object: Loose) {
    this.writes.push(`${verb} ${object.kind} ${object.metadata.name}`)
    if (this.writes.length >= this.crashAfter) {
      this.crashAfter = Number.POSITIVE_INFINITY
      throw new Crash(this.writes.at(-1))
    }
  }

  #live(kind: string, ref: { namespace?: string | undefined; name: string }): Loose {
    const found = this.objects.get(idOf(kind, ref.namespace, ref.name))
    if (!found) throw new ApiError(404, 'NotFound', `${kind} ${ref.name} not found`)
    return found
  }

  client(): Client {
    const client: Pick<Client, 'get' | 'create' | 'apply' | 'patch' | 'remove'> = {
      get: async (kind, ref) => {
        if (kind.kind === 'Secret') this.reads.set(ref.name, (this.reads.get(ref.name) ?? 0) + 1)
        return structuredClone(this.objects.get(idOf(kind.kind, ref.namespace, ref.name))) as never
      },
      create: async (_kind, object) => {
        const { kind, metadata } = object
        if (this.objects.has(idOf(kind, metadata.namespace, metadata.name))) {
          throw new ApiError(409, 'AlreadyExists', `${metadata.name} exists`)
        }
        const stored = this.put(object as Loose)
        this.#written('create', stored)
        return structuredClone(stored) as never
      },
      apply: async (_kind, manifest) => {
        const before = this.#live(manifest.kind, manifest.metadata)
        const stored = this.put({
          ...before,
          ...manifest,
          metadata: { ...before.metadata, ...manifest.metadata },
        } as Loose)
        this.#written('apply', stored)
        return stored as never
      },
      patch: async (kind: { kind: string }, ref: Any, body: Any, type: string, options: Any = {}) => {
        const before = structuredClone(this.#live(kind.kind, ref))
        const uid = body.metadata?.uid
        if (uid !== undefined && uid !== before.metadata.uid) {
          throw new ApiError(409, 'Conflict', 'another uid')
        }
        const after =
          type === 'json'
            ? jsonPatch.applyPatch(before, body as Operation[], true).newDocument
            : merged(before, body)
        const stored = this.put(after as Loose)
        if (stored.metadata.deletionTimestamp && !stored.metadata.finalizers?.length) this.#forget(stored)
        this.#written(options.subresource ? 'status' : 'patch', stored)
        return structuredClone(stored) as never
      },
      remove: async (kind, ref, options = {}) => {
        const found = this.objects.get(idOf(kind.kind, ref.namespace, ref.name))
        if (!found) return false
        if (options.uid !== undefined && options.uid !== found.metadata.uid) {
          throw new ApiError(409, 'Conflict', 'another uid')
        }
        this.remove(found)
        this.#written('remove', found)
        return true
      },
    }
    return client as Client
  }

  /** The caches catch up with the store: of everything but MySQLs they hold what is labelled as the operator's. */
  see() {
    const watched = [...this.objects].filter(
      ([, { kind, metadata }]) => kind === 'MySQL' || metadata.labels?.[labels.managedBy] === manager,
    )
    this.seen = new Map(watched.map(([id, object]) => [id, structuredClone(object)]))
  }

  caches(): Caches {
    const store = (kind: string) => ({
      get: (namespace: string, name: string) => this.seen.get(idOf(kind, namespace, name)) as never,
      list: () => [...this.seen.values()].filter((object) => object.kind === kind) as never,
    })
    return {
      mysqls: store('MySQL'),
      workloads: store('StatefulSet'),
      jobs: store('Job'),
      claims: store('PersistentVolumeClaim'),
      services: store('Service'),
      configs: store('ConfigMap'),
      policies: store('NetworkPolicy'),
      podsOf: (_namespace, instance) =>
        [...this.seen.values()].filter(
          ({ kind, metadata }) => kind === 'Pod' && metadata.labels?.[labels.instance] === instance,
        ) as kinds.Pod[],
    }
  }

  /** One run of the operator; a crash ends it, and any other error is one that it would try again. */
  async run(key: string): Promise<void> {
    const context: Context = {
      client: this.client(),
      caches: this.caches(),
      hasher: {
        hash: async (_, plugin) => (plugin === hash.plugin ? hash : nativeHash),
        verify: async () => true,
        close: async () => undefined,
      },
      operatorKey: Buffer.alloc(32, 7),
      generatedPasswordLength: 31,
      record: async (_object, { reason }) => {
        this.events.push(reason)
      },
      ...(this.remembers ? this.#memory : forgetful()),
      now: () => new Date(this.#now),
    }
    const log = pino({ level: 'silent' })
    try {
      await reconcile(context, key, log, new AbortController().signal)
    } catch (error) {
      this.#memory = forgetful()
      if (!(error instanceof Crash) && !(error instanceof ApiError) && !isRetried(error)) throw error
    }
  }

  /** Nobody does anything for so long. */
  pass(seconds: number) {
    this.#now += seconds * 1000
  }

  /** A little later: what kubelet, controllers and mysqld would have done. */
  tick() {
    this.#now += 3_000
    for (const object of [...this.objects.values()]) {
      if (object.kind === 'StatefulSet') this.#runServer(object)
      if (object.kind === 'Job') this.#runJob(object)
    }
  }

  #runServer(workload: Loose) {
    const pod = this.get('Pod', `${workload.metadata.name}-0`)
    if (workload.metadata.deletionTimestamp) return this.#forget(pod ?? workload)
    if (workload.spec.replicas === 0) return pod ? this.#forget(pod) : undefined
    const claim = this.get('PersistentVolumeClaim', `${workload.metadata.name}-pvc`)
    if (!claim) return
    if (claim.status?.phase !== 'Bound') this.put({ ...claim, status: { phase: 'Bound' } })
    const uid = claim.metadata.uid ?? ''
    const database = this.databases.get(uid) ?? { open: false, restoredFrom: null, passwords: {}, old: {} }
    this.databases.set(uid, database)
    const revision = String(workload.metadata.generation)
    const rollout = { observedGeneration: workload.metadata.generation, updateRevision: revision }
    this.#put({ ...workload, status: rollout }, workload)
    const labels = { ...workload.metadata.labels, 'controller-revision-hash': revision }
    const metadata = { name: `${workload.metadata.name}-0`, namespace: 'team', labels }
    const message = JSON.stringify({ version: versionIn(workload), initialised: true })
    const terminated = { exitCode: 0, message }
    const status = {
      initContainerStatuses: [{ containerID: 'c', state: { terminated } }],
      conditions: [{ type: 'Ready', status: database.open ? 'True' : 'False' }],
    }
    const current = pod?.metadata.labels?.['controller-revision-hash'] === revision ? pod : undefined
    this.#put({ ...(current ?? { apiVersion: 'v1', kind: 'Pod', metadata }), status }, current)
  }

  /** Stores what differs from before. */
  #put(object: Loose, before: Loose | undefined) {
    if (JSON.stringify(before?.status) !== JSON.stringify(object.status)) this.put(object)
  }

  #runJob(job: Loose) {
    if (job.metadata.deletionTimestamp) return this.#forget(job)
    const server = this.get('Pod', `${job.metadata.labels?.[labels.instance]}-0`)
    if (job.status?.conditions || !server || this.#lacksSecret(job)) return
    const env = Object.fromEntries(
      job.spec.template.spec.containers[0].env.map(({ name, value }: { name: string; value: string }) => [
        name,
        value,
      ]),
    )
    const database = this.databases.get(env.CLAIM_UID)
    const isVerification = env.DUMP !== undefined
    if (!database && !isVerification) return
    const message = isVerification
      ? JSON.stringify({ file: env.DUMP, tables: 1, version: '9.7.4', flaw: null })
      : this.#script(job, database as Database, env)
    if (isVerification) this.verified.push(env.DUMP)
    const metadata = {
      name: `${job.metadata.name}-pod-${job.metadata.uid}`,
      namespace: 'team',
      labels: job.metadata.labels ?? {},
      ownerReferences: [
        { apiVersion: 'batch/v1', kind: 'Job', name: job.metadata.name, uid: job.metadata.uid ?? '' },
      ],
    }
    const containerStatuses = [{ state: { terminated: { exitCode: 0, message, finishedAt: 'now' } } }]
    this.put({ apiVersion: 'v1', kind: 'Pod', metadata, status: { containerStatuses } })
    const lastTransitionTime = new Date(this.#now).toISOString()
    this.put({ ...job, status: { conditions: [{ type: 'Complete', status: 'True', lastTransitionTime }] } })
  }

  /** The kubelet waits for a Secret that is not there. */
  #lacksSecret(job: Loose): boolean {
    const volumes: { secret?: { secretName: string } }[] = job.spec.template.spec.volumes
    return volumes.some(({ secret }) => secret !== undefined && !this.get('Secret', secret.secretName))
  }

  #passwordScript(given: Record<string, string>, database: Database, env: Record<string, string>) {
    const keepOld = env.KEEP_OLD?.split(',') ?? []
    return Object.entries(given).map(([account, wanted]) => {
      const was = this.#change(database, account, wanted, { ...env, keeps: keepOld.includes(account) })
      return { account, was, old: account in database.old }
    })
  }

  #change({ passwords, old }: Database, account: string, wanted: string, work: Any): string {
    const held = passwords[account]
    if (work.ONLY_COMPARE === 'yes') return held === wanted ? 'unchanged' : 'drifted'
    if (!work.keeps) delete old[account]
    if (held === wanted) return 'unchanged'
    passwords[account] = wanted
    if (work.keeps && held !== undefined) old[account] = held
    return held === undefined ? 'new' : 'changed'
  }

  /** What each script does to the database, and reports. */
  #script(job: Loose, database: Database, env: Record<string, string>): string {
    const volumes: { name: string; secret?: { secretName: string } }[] = job.spec.template.spec.volumes
    const given = Object.fromEntries(
      volumes.flatMap(({ secret }) => {
        const account = /-(root|user)-[^-]+$/.exec(secret?.secretName ?? '')?.[1]
        if (account === undefined) return []
        if (!this.get('Secret', secret?.secretName ?? ''))
          throw new Error(`a Job mounts ${secret?.secretName}, which is gone`)
        return [[account, secret?.secretName ?? '']]
      }),
    )
    if (job.metadata.name.startsWith('backup-')) {
      if (!database.open)
        return JSON.stringify({
          file: null,
          bytes: 0,
          tables: 0,
          sha256: null,
          version: '9.7.4',
          incomplete: [],
        })
      const file = `shop-${this.dumps.length}.sql.gz`
      this.dumps.push(file)
      return JSON.stringify({
        file,
        bytes: 1,
        tables: 1,
        sha256: 'a'.repeat(64),
        version: '9.7.4',
        incomplete: [],
      })
    }
    if (job.metadata.name.startsWith('password-')) {
      return JSON.stringify({ accounts: this.#passwordScript(given, database, env) })
    }
    Object.assign(database.passwords, given)
    database.open = true
    database.restoredFrom = this.dumps.at(-1) ?? null
    return JSON.stringify({
      version: '9.7.4',
      from: database.restoredFrom,
      tables: 1,
      skippedAccounts: [],
      already: false,
    })
  }
}

/** Of the server in the workload's image. */
const versionIn = (workload: Loose): string =>
  /:(\d+\.\d+\.\d+)$/.exec(workload.spec.template.spec.containers[0].image)?.[1] ?? '9.7.4'

const isRetried = (error: unknown) =>
  error instanceof Error && /exists and belongs|the resource is gone/.test(error.message)

const merged = (target: Any, patch: Any): Any => {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const result = { ...target }
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key]
    else result[key] = merged(result[key] ?? {}, value)
  }
  return result
}
