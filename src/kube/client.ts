import { manager } from '../api/names.ts'
import type { TypedResource } from '../api/resource.ts'
import type { Connection } from './config.ts'
import { ApiError } from './errors.ts'
import type { AnyKind, Kind } from './kinds.ts'
import {
  type CallOptions,
  type Listing,
  type ListOptions,
  limits,
  listPages,
  read,
  type SelectOptions,
  selection,
} from './list.ts'
import { type Call, createTransport, type TransportOptions } from './transport.ts'
import { readWatch, type WatchEvent } from './watch.ts'

/** Names one object. */
export interface Ref {
  namespace?: string | undefined
  name: string
}

export interface WatchOptions extends SelectOptions {
  resourceVersion: string
  /** After so long the server ends the watch; 270. */
  timeoutSeconds?: number | undefined
  /** Silence that counts as a broken connection; a little more than `timeoutSeconds`. */
  inactivityMs?: number | undefined
}

export interface WriteOptions extends CallOptions {
  subresource?: 'status' | undefined
}

export interface RemoveOptions extends CallOptions {
  /** Only the object with this uid: another one of the same name is a Conflict. */
  uid?: string | undefined
  /** Only while unchanged. */
  resourceVersion?: string | undefined
  propagationPolicy?: 'Foreground' | 'Background' | 'Orphan' | undefined
}

/** One operation of a JSON patch (RFC 6902). */
export interface JsonPatchOperation {
  op: 'add' | 'remove' | 'replace' | 'test'
  path: string
  value?: unknown
}

/** The API server, typed by kind. Every failure is an ApiError, or the reason of the caller's signal. */
export interface Client {
  /** The object, or undefined if there is none. */
  get<T extends TypedResource>(kind: Kind<T>, ref: Ref, options?: CallOptions): Promise<T | undefined>
  /** Every object, read in pages. */
  list<T extends TypedResource>(kind: Kind<T>, options?: ListOptions<T>): Promise<Listing<T>>
  /** What changes after `resourceVersion`, until the server ends the watch. */
  watch<T extends TypedResource>(
    kind: Kind<T>,
    options: WatchOptions,
  ): AsyncGenerator<WatchEvent<T>, void, undefined>
  /** Fails with reason AlreadyExists if the name is taken. */
  create<T extends TypedResource>(kind: Kind<T>, object: NoInfer<T>, options?: CallOptions): Promise<T>
  /** Server-side apply: takes the fields given, by force, and gives up those that are no longer given. */
  apply<T extends TypedResource>(
    kind: Kind<T>,
    manifest: Manifest<NoInfer<T>>,
    options?: WriteOptions,
  ): Promise<T>
  /** A `metadata.resourceVersion` in a merge patch is a precondition: Conflict if the object has changed. */
  patch<T extends TypedResource>(
    kind: Kind<T>,
    ref: Ref,
    body: object,
    type: 'merge',
    options?: WriteOptions,
  ): Promise<T>
  patch<T extends TypedResource>(
    kind: Kind<T>,
    ref: Ref,
    body: JsonPatchOperation[],
    type: 'json',
    options?: WriteOptions,
  ): Promise<T>
  /** False if there was nothing to remove. */
  remove<T extends TypedResource>(kind: Kind<T>, ref: Ref, options?: RemoveOptions): Promise<boolean>
  /** Asks a TokenReview or SubjectAccessReview. Stores nothing, so any replica may. */
  review<T extends TypedResource & { spec: unknown }>(
    kind: Kind<T>,
    spec: T['spec'],
    options?: CallOptions,
  ): Promise<T>
}

/** What an apply sends: of the object only the fields that are ours. */
export type Manifest<T> = { apiVersion: string; kind: string; metadata: TypedResource['metadata'] } & Partial<
  Omit<T, keyof TypedResource>
>

/** Owns what patches set: were it the manager of applies, the next apply would remove it again. */
const patchManager = `${manager}-patch`
/** Silence beyond the server's own end of the watch, in milliseconds. */
const inactivitySlack = 15_000

/** A client on `connection`. Give the leader's one a fence (`beforeWrite`), and the lease's own none. */
export const createClient = (connection: Connection, options: TransportOptions = {}): Client => {
  const transport = createTransport(connection, options)
  const write = <T>(call: Call) => transport.exchange({ ...call, fenced: true }) as Promise<T>

  return {
    get: <T extends TypedResource>(kind: Kind<T>, ref: Ref, more?: CallOptions) =>
      absent(read(transport, { verb: 'get', kind, ...at(ref), ...limits(more) }) as Promise<T>, undefined),

    list: (kind, more = {}) => listPages(transport, kind, more),

    watch: (kind, { timeoutSeconds = 270, inactivityMs, resourceVersion, ...more }) => {
      const call = selection('watch', kind, more)
      const query = { ...call.query, resourceVersion, timeoutSeconds, watch: true, allowWatchBookmarks: true }
      return readWatch(transport, { ...call, query }, inactivityMs ?? timeoutSeconds * 1000 + inactivitySlack)
    },

    create: (kind, object, more) => {
      const query = { fieldManager: manager, fieldValidation: 'Strict' }
      return write({ verb: 'create', kind, ...at(object.metadata), query, body: object, ...limits(more) })
    },

    apply: (kind, manifest, more = {}) => {
      const { namespace, name } = manifest.metadata
      const query = { fieldManager: manager, force: true, fieldValidation: 'Strict' }
      const call = { verb: 'apply', kind, namespace, name, query, subresource: more.subresource } as const
      return write({ ...call, contentType: 'application/apply-patch+yaml', body: manifest, ...limits(more) })
    },

    patch: (kind: AnyKind, ref: Ref, body: object, type: 'merge' | 'json', more: WriteOptions = {}) => {
      const query = { fieldManager: patchManager, fieldValidation: 'Strict' }
      const call = { verb: 'patch', kind, ...at(ref), query, subresource: more.subresource } as const
      return write<never>({ ...call, contentType: `application/${type}-patch+json`, body, ...limits(more) })
    },

    remove: async (kind, ref, { uid, resourceVersion, propagationPolicy, ...more } = {}) => {
      const preconditions = uid || resourceVersion ? { uid, resourceVersion } : undefined
      const body = { propagationPolicy, preconditions }
      const call: Call = { verb: 'delete', kind, ...at(ref), body, ...limits(more) }
      return absent(
        write(call).then(() => true),
        false,
      )
    },

    review: <T extends TypedResource & { spec: unknown }>(
      kind: Kind<T>,
      spec: T['spec'],
      more?: CallOptions,
    ) => {
      const body = { apiVersion: kind.apiVersion, kind: kind.kind, spec }
      return transport.exchange({ verb: 'create', kind, body, ...limits(more) }) as Promise<T>
    },
  }
}

/** Only these two: whole metadata may be given as a reference. */
const at = ({ namespace, name }: Ref) => ({ namespace, name })

/** A 404 is an answer, not an error. */
const absent = async <T, U>(answer: Promise<T>, otherwise: U): Promise<T | U> => {
  try {
    return await answer
  } catch (error) {
    if (error instanceof ApiError && error.code === 404) return otherwise
    throw error
  }
}
