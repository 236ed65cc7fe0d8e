import { createHash } from 'node:crypto'
import { annotations, labels, manager } from '../api/names.ts'
import { compareQuantities } from '../api/quantity.ts'
import type { TypedResource } from '../api/resource.ts'
import type { Client, JsonPatchOperation, Ref } from './client.ts'
import { alreadyExists } from './errors.ts'
import type { AnyKind } from './kinds.ts'

/** An object of that name is there and is not ours; it is left alone. */
export class NameTaken extends Error {
  readonly kind: string
  readonly ref: Ref
  /** It is on its way out, so the name may soon be free. */
  readonly terminating: boolean

  constructor(kind: AnyKind, ref: Ref, terminating = false, remedy = 'rename or delete it') {
    const object = [ref.namespace, ref.name].filter(Boolean).join('/')
    const advice = terminating ? 'wait until it is gone' : remedy
    super(`${kind.kind} ${object} exists and belongs to something else; ${advice}`)
    this.name = 'NameTaken'
    this.kind = kind.kind
    this.ref = ref
    this.terminating = terminating
  }
}

export interface EnsureOptions {
  /** Also takes what an earlier MySQL of that name left behind: the owner's uid may differ. */
  adopt?: boolean | undefined
  signal?: AbortSignal | undefined
}

export type Outcome = 'created' | 'applied' | 'unchanged'

/**
 * Makes the stored object hold what `desired` says. `live` is what a cache has of it, whole, or undefined; a stale one
 * costs a request but does no harm. Writes nothing where nothing differs.
 *
 * `desired` has to be put as the server stores it, or the comparison never settles: no `stringData`, no `false`, `0` or
 * `''` where the server leaves such a field out. Quantities may be written in any way.
 * Fields that somebody else added are left alone; fields that `desired` no longer has are removed.
 */
export const ensure = async (
  client: Client,
  kind: AnyKind,
  desired: TypedResource,
  live: TypedResource | undefined,
  options: EnsureOptions = {},
): Promise<Outcome> => {
  const manifest = withHash(desired)
  const { signal } = options
  if (live && isOurs(manifest, live, options) && settled(manifest, live)) return 'unchanged'
  // A cache lags and has no managedFields: what is written to is read first.
  const fresh = live && (await client.get(kind, manifest.metadata, { signal }))
  if (fresh) return change(client, kind, manifest, fresh, options)
  try {
    await client.create(kind, manifest, { signal })
    return 'created'
  } catch (error) {
    if (!alreadyExists(error)) throw error
    const existing = await client.get(kind, manifest.metadata, { signal })
    if (!existing) throw error
    return change(client, kind, manifest, existing, options)
  }
}

/** `desired` with the annotation that says what it was made from. */
export const withHash = <T extends TypedResource>(desired: T): T => {
  const { annotations: given, ...metadata } = desired.metadata
  const hash = contentHash(desired)
  return { ...desired, metadata: { ...metadata, annotations: { ...given, [annotations.contentHash]: hash } } }
}

/** 16 hex digits over a manifest; the order of keys does not matter. */
export const contentHash = (manifest: TypedResource) =>
  createHash('sha256').update(canonical(manifest)).digest('hex').slice(0, 16)

const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, part) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )

/** Whether `live` was made for the MySQL that `desired` is made for. */
export const isOurs = (
  desired: TypedResource,
  live: TypedResource,
  { adopt = false }: EnsureOptions = {},
) => {
  const [wanted, found] = [desired.metadata, live.metadata]
  const ownerUid = wanted.annotations?.[annotations.ownerUid]
  return (
    found.labels?.[labels.managedBy] === manager &&
    found.labels[labels.instance] === wanted.labels?.[labels.instance] &&
    (adopt || (ownerUid !== undefined && found.annotations?.[annotations.ownerUid] === ownerUid))
  )
}

const settled = (manifest: TypedResource, live: TypedResource) =>
  live.metadata.annotations?.[annotations.contentHash] ===
    manifest.metadata.annotations?.[annotations.contentHash] && contains(manifest, live)

const change = async (
  client: Client,
  kind: AnyKind,
  manifest: TypedResource,
  live: TypedResource,
  options: EnsureOptions,
): Promise<Outcome> => {
  const { signal } = options
  if (!isOurs(manifest, live, options))
    throw new NameTaken(kind, manifest.metadata, live.metadata.deletionTimestamp !== undefined)
  if (settled(manifest, live)) return 'unchanged'
  await takeOwnership(client, kind, live, signal)
  // With the uid, an object that took this one's place meanwhile is refused instead of overwritten.
  const { uid } = live.metadata
  const metadata = uid === undefined ? manifest.metadata : { ...manifest.metadata, uid }
  await client.apply(kind, { ...manifest, metadata }, { signal })
  return 'applied'
}

interface ManagedFields {
  manager?: string
  operation?: string
  subresource?: string
}

/**
 * What was created by POST is ours by "Update". Apply only removes what is ours by "Apply", so a field that is no
 * longer wanted would stay for ever: the entry is renamed once, before the first apply, as kubectl does.
 */
const takeOwnership = async (client: Client, kind: AnyKind, live: TypedResource, signal?: AbortSignal) => {
  const entries = (live.metadata.managedFields ?? []) as ManagedFields[]
  const ours = (operation: string) =>
    entries.findIndex((e) => e.manager === manager && e.operation === operation && !e.subresource)
  const created = ours('Update')
  if (created < 0 || ours('Apply') >= 0) return
  // Tested by its content: the status, which is written all the time, does not matter here.
  const entry = `/metadata/managedFields/${created}`
  const body: JsonPatchOperation[] = [
    { op: 'test', path: `${entry}/manager`, value: manager },
    { op: 'test', path: `${entry}/operation`, value: 'Update' },
    { op: 'replace', path: `${entry}/operation`, value: 'Apply' },
  ]
  await client.patch(kind, live.metadata, body, 'json', { signal })
}

/** Keys below which strings are quantities, which the server writes its own way: "1000m" comes back as "1". */
const quantityKeys = new Set(['requests', 'limits', 'capacity'])

/** Whether everything that `desired` says is found in `live`; `live` may have more fields, but not more elements. */
export const contains = (desired: unknown, live: unknown, quantities = false): boolean => {
  if (desired === live || desired === undefined) return true
  if (Array.isArray(desired)) return containsElements(desired, live ?? [], quantities)
  if (isObject(desired)) {
    const found = live ?? {}
    return (
      isObject(found) &&
      Object.entries(desired).every(([key, value]) =>
        contains(value, found[key], quantities || quantityKeys.has(key)),
      )
    )
  }
  if (desired === null) return live === undefined
  return quantities && compareQuantities(String(desired), String(live)) === 0
}

const containsElements = (desired: unknown[], live: unknown, quantities: boolean) =>
  Array.isArray(live) &&
  live.length === desired.length &&
  desired.every((element, index) => contains(element, live[index], quantities))

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
