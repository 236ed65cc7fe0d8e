import { randomUUID } from 'node:crypto'

// biome-ignore lint/suspicious/noExplicitAny: tests look into objects of every kind
type Loose = any

/** A stored object, as loosely as JSON is. */
export interface Stored {
  metadata: {
    name: string
    namespace?: string
    uid?: string
    resourceVersion?: string
    labels?: Record<string, string>
    annotations?: Record<string, string>
    managedFields?: { manager?: string; operation: string }[]
    [more: string]: unknown
  }
  [field: string]: Loose
}

export interface Change {
  rv: number
  type: 'ADDED' | 'MODIFIED' | 'DELETED'
  path: string
  object: Stored
}

/** Takes "/apis/apps/v1/namespaces/a/statefulsets/b/status" apart. */
export const parsePath = (path: string) => {
  const [, root, ...rest] = path.split('/')
  const group = rest.splice(0, root === 'api' ? 1 : 2).join('/')
  const namespace = rest[0] === 'namespaces' && rest.length > 2 ? rest.splice(0, 2)[1] : undefined
  const [plural = '', name, subresource] = rest
  return { group, namespace, plural, name, subresource }
}

/** Whether a list or watch of `collection` shows the object at `path`. */
export const selects = (collection: string, selector: string | null, path: string, object: Stored) => {
  const [all, one] = [parsePath(collection), parsePath(path)]
  if (all.group !== one.group || all.plural !== one.plural) return false
  if (all.namespace && all.namespace !== one.namespace) return false
  const terms = (selector ?? '').split(',').filter(Boolean)
  return terms.every((term) => {
    const [key = '', value] = term.split('=')
    return object.metadata.labels?.[key] === value
  })
}

const bare = ({ metadata: { resourceVersion, ...metadata }, ...rest }: Stored) =>
  JSON.stringify([metadata, rest])

/** Objects by path, their resourceVersions, and what happened to them. */
export const createStore = (onChange: (change: Change) => void) => {
  const objects = new Map<string, Stored>()
  const history: Change[] = []
  const store = {
    rv: 100,
    /** History before this is compacted away. */
    oldest: 0,
    objects,
    history,
    put(path: string, object: Stored): Stored {
      const before = objects.get(path)
      if (
        before &&
        bare(before) === bare({ ...object, metadata: { ...before.metadata, ...object.metadata } })
      )
        return before
      const uid = before?.metadata.uid ?? randomUUID()
      const metadata = { managedFields: [], ...object.metadata, uid, resourceVersion: String(++store.rv) }
      const next = structuredClone({ ...object, metadata })
      objects.set(path, next)
      store.record(before ? 'MODIFIED' : 'ADDED', path, next)
      return next
    },
    drop(path: string) {
      const object = objects.get(path)
      if (!object) return
      objects.delete(path)
      const metadata = { ...object.metadata, resourceVersion: String(++store.rv) }
      store.record('DELETED', path, { ...object, metadata })
    },
    record(type: Change['type'], path: string, object: Stored) {
      const change = { rv: store.rv, type, path, object }
      history.push(change)
      onChange(change)
    },
  }
  return store
}

/** A JSON merge patch (RFC 7396). */
export const merge = (target: Loose, patch: Loose): Loose => {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const result = { ...(typeof target === 'object' && !Array.isArray(target) ? target : {}) }
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key]
    else result[key] = merge(result[key], value)
  }
  return result
}

/** A JSON patch (RFC 6902) as far as it is used here; undefined if a test fails. */
export const jsonPatch = (target: Loose, operations: Loose[]): Loose => {
  const result = structuredClone(target)
  return operations.every((operation) => patchOne(result, operation)) ? result : undefined
}

const patchOne = (target: Loose, { op, path, value }: Loose) => {
  const unescaped = (key: string) => key.replaceAll('~1', '/').replaceAll('~0', '~')
  const keys: string[] = path.split('/').slice(1).map(unescaped)
  const last = keys.pop() ?? ''
  const parent = keys.reduce((at: Loose, key) => at?.[key], target)
  if (!parent) return false
  if (op === 'test') return JSON.stringify(parent[last]) === JSON.stringify(value)
  if (Array.isArray(parent))
    parent.splice(Number(last), op === 'add' ? 0 : 1, ...(op === 'remove' ? [] : [value]))
  else if (op === 'remove') delete parent[last]
  else parent[last] = value
  return true
}
