/** What the operator knows of the cluster without asking: the MySQLs, and everything labelled as ours. */
import { keyOf, type MySQL } from '../api/mysql.ts'
import { labels, manager } from '../api/names.ts'
import type { TypedResource } from '../api/resource.ts'
import type { Client } from '../kube/client.ts'
import { type Clock, systemClock } from '../kube/clock.ts'
import { Informer } from '../kube/informer.ts'
import * as kinds from '../kube/kinds.ts'

/** The objects of one kind in all watched namespaces. */
export interface Store<T> {
  get(namespace: string, name: string): T | undefined
  list(): T[]
}

export interface Caches {
  mysqls: Store<MySQL>
  workloads: Store<kinds.StatefulSet>
  jobs: Store<kinds.Job>
  claims: Store<kinds.PersistentVolumeClaim>
  services: Store<kinds.Service>
  configs: Store<kinds.ConfigMap>
  policies: Store<kinds.NetworkPolicy>
  /** The pods of one MySQL: its server's and its Jobs'. */
  podsOf(namespace: string, instance: string): kinds.Pod[]
}

export interface StartedCaches extends Caches {
  /** All have listed once; rejects if stopped before. */
  synced: Promise<void>
  hasSynced: () => boolean
  /**
   * For how long the API server has said nothing to one of the informers (`longest`), and to any of them (`shortest`),
   * in milliseconds. Before an informer's first list it counts from the start of the clock, which is the process's.
   */
  silence: () => { longest: number; shortest: number }
  /** Of all informers, since the start. `repaired`: changes that a periodic list knew before the watch did. */
  counts: () => { failures: number; repaired: number }
  /** Calls back with the namespaced name of the MySQL that something happened to, until the answer is called. */
  onChange(callback: (key: string) => void): () => void
}

interface Options {
  /** Empty: all namespaces. */
  namespaces: readonly string[]
  signal: AbortSignal
  /** Hears of each failure of an informer, which tries again, and whose kind it was about. */
  onError: (error: unknown, kind: string) => void
  clock?: Clock
}

/**
 * Longer than the longest watch, which the server ends after 5 minutes, and which the informer hears of. Usually a
 * bookmark comes each minute.
 */
export const longestSilence = 330_000

/** Why the caches cannot be believed; undefined if they can. One kind that is not heard of is for an alert, not for this. */
export const cachesProblem = (caches: Pick<StartedCaches, 'hasSynced' | 'silence'>): string | undefined => {
  if (!caches.hasSynced()) return 'the first lists have not arrived'
  const { shortest } = caches.silence()
  if (shortest <= longestSilence) return undefined
  return `the API server has said nothing for ${Math.floor(shortest / 1000)} s: see the log for what fails`
}

const ours = `${labels.managedBy}=${manager}`

/** The MySQL that an object of ours belongs to. */
const instanceKey = ({ metadata }: TypedResource): string | undefined => {
  const instance = metadata.labels?.[labels.instance]
  return instance === undefined ? undefined : `${metadata.namespace}/${instance}`
}

/** Starts one informer for each kind and namespace. They run until the signal aborts. */
export const startCaches = (
  client: Client,
  { namespaces, signal, onError, clock = systemClock }: Options,
): StartedCaches => {
  const informers: Informer<TypedResource>[] = []
  const listeners = new Set<(key: string) => void>()
  const tell = (key: string | undefined) => {
    if (key !== undefined) for (const listener of listeners) listener(key)
  }
  const store = <T extends TypedResource>(
    kind: kinds.Kind<T>,
    labelSelector: string | undefined,
    onChange: (object: T, deleted: boolean) => void,
  ): Store<T> => {
    const places = namespaces.length === 0 ? [undefined] : namespaces
    const options = { labelSelector, clock, onError: (error: unknown) => onError(error, kind.kind) }
    const own = places.map((namespace) => new Informer<T>(client, kind, { ...options, namespace }))
    for (const informer of own) {
      informer.onChange((object, _previous, deleted) => onChange(object, deleted))
      informer.start(signal)
      informers.push(informer as unknown as Informer<TypedResource>)
    }
    return {
      get: (namespace, name) =>
        own.map((informer) => informer.get(namespace, name)).find((found) => found !== undefined),
      list: () => own.flatMap((informer) => informer.list()),
    }
  }
  const sum = (read: (counts: Informer<TypedResource>['counts']) => number) =>
    informers.reduce((total, { counts }) => total + read(counts), 0)
  const children = <T extends TypedResource>(kind: kinds.Kind<T>) =>
    store(kind, ours, (object) => tell(instanceKey(object)))

  const pods = new Map<string, Map<string, kinds.Pod>>()
  store(kinds.Pod, ours, (pod, deleted) => {
    const key = instanceKey(pod)
    if (key === undefined) return
    const own = pods.get(key) ?? new Map<string, kinds.Pod>()
    if (deleted) own.delete(pod.metadata.name)
    else own.set(pod.metadata.name, pod)
    if (own.size === 0) pods.delete(key)
    else pods.set(key, own)
    tell(key)
  })
  const stores = {
    mysqls: store(kinds.MySQL, undefined, (mysql) => tell(keyOf(mysql))),
    workloads: children(kinds.StatefulSet),
    jobs: children(kinds.Job),
    claims: children(kinds.PersistentVolumeClaim),
    services: children(kinds.Service),
    configs: children(kinds.ConfigMap),
    policies: children(kinds.NetworkPolicy),
  }
  const synced = Promise.all(informers.map((informer) => informer.synced)).then(() => undefined)
  // Rejects if they are stopped before. Whoever waits for it hears of that; nobody has to wait.
  synced.catch(() => undefined)
  return {
    ...stores,
    podsOf: (namespace, instance) => [...(pods.get(`${namespace}/${instance}`)?.values() ?? [])],
    synced,
    hasSynced: () => informers.every((informer) => informer.hasSynced),
    silence: () => {
      const silences = informers.map(({ lastContact = 0 }) => clock.now() - lastContact)
      return { longest: Math.max(...silences), shortest: Math.min(...silences) }
    },
    counts: () => ({ failures: sum(({ failures }) => failures), repaired: sum(({ repaired }) => repaired) }),
    onChange: (callback) => {
      listeners.add(callback)
      return () => listeners.delete(callback)
    },
  }
}
