/** The part of `metadata` that is read or written here, as it is on the wire (times are RFC 3339 strings). */
export interface Meta {
  name: string
  namespace?: string
  generateName?: string
  uid?: string
  resourceVersion?: string
  generation?: number
  creationTimestamp?: string
  deletionTimestamp?: string
  deletionGracePeriodSeconds?: number
  labels?: Record<string, string>
  annotations?: Record<string, string>
  finalizers?: string[]
  ownerReferences?: OwnerReference[]
  /** Who owns which field; dropped on the way into a cache. */
  managedFields?: unknown[]
}

export interface OwnerReference {
  apiVersion: string
  kind: string
  name: string
  uid: string
  controller?: boolean
  blockOwnerDeletion?: boolean
}

/** What every object has. Kinds with a type of their own extend this, so that a misspelt field is an error. */
export interface TypedResource {
  apiVersion: string
  kind: string
  metadata: Meta
}

/** An object of any kind: manifests, and what is read without knowing more. */
export interface Resource extends TypedResource {
  [field: string]: unknown
}

/** client-node's types say `Date` where JSON has strings. */
export type Wire<T> = T extends Date
  ? string
  : T extends (infer U)[]
    ? Wire<U>[]
    : T extends object
      ? { [K in keyof T]: Wire<T[K]> }
      : T

/** A built-in object as manifests and the server have it: client-node's type of the rest, our own metadata. */
export type Live<T> = Omit<Wire<T>, 'apiVersion' | 'kind' | 'metadata'> & TypedResource
