/**
 * Annotations in which tools keep what they sent. The API server prunes unknown fields from the object but not from
 * these, so they are rebuilt: what is not in the object itself is not in them either.
 */
import { mysqlKind } from '../api/mysql.ts'
import { largestAnnotations, mostCopies, requestRules, tooManyCopies } from '../api/requestRules.ts'
import { explain, type Violation } from '../api/rule.ts'
import { isRecord } from './record.ts'
import type { UncheckedObject } from './review.ts'

export const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'

interface Annotation {
  key: string
  text: unknown
  isCopy: boolean
  copy: Record<string, unknown> | undefined
}

/**
 * The object's annotations with every copy of its manifest rebuilt from `object`, which has no passwords any more.
 * kubectl's own goes if it cannot be read; it is made again by the next apply. More than a few copies are refused, and more
 * than can be stored is not even read.
 */
export const scrubbed = (
  annotations: Record<string, unknown>,
  object: UncheckedObject,
): { annotations: Record<string, unknown>; violations: Violation[] } => {
  if (sizeOf(annotations) > largestAnnotations) return { annotations, violations: [tooLarge] }
  const all = Object.entries(annotations).map(read)
  const copies = all.filter(({ isCopy }) => isCopy).length
  // A copy inside a copy: kubectl never has it, and a crafted one could hide a password.
  const plain = Object.fromEntries(all.flatMap(({ key, text, isCopy }) => (isCopy ? [] : [[key, text]])))
  if (copies > mostCopies) return { annotations: plain, violations: [refusalOf(copies)] }
  let left = largestAnnotations
  const kept: [string, unknown][] = []
  for (const { key, text, isCopy, copy } of all) {
    if (!isCopy) kept.push([key, text])
    if (!copy || !isCopy) continue
    // Not larger than what came, but for a crafted one: it names a field that is large in the object itself.
    const again = rebuilt(copy, object, plain)
    left -= Buffer.byteLength(again)
    if (left < 0) return { annotations: plain, violations: [tooLarge] }
    kept.push([key, again])
  }
  return { annotations: Object.fromEntries(kept), violations: [] }
}

const sizeOf = (annotations: Record<string, unknown>) =>
  Object.entries(annotations)
    .flat()
    .reduce<number>((sum, text) => sum + (typeof text === 'string' ? Buffer.byteLength(text) : 0), 0)

const tooLarge: Violation = { field: 'metadata.annotations', message: explain(requestRules.tooLarge) }

const refusalOf = (copies: number): Violation => ({
  field: 'metadata.annotations',
  message: explain(tooManyCopies(copies)),
})

/** Other tools keep copies under other names, such as kapp. */
const read = ([key, text]: [string, unknown]): Annotation => {
  const copy = parsed(text)
  return { key, text, copy, isCopy: key === lastApplied || copy?.kind === mysqlKind }
}

/** The same text for the same configuration, so that applying a file again changes nothing. */
const rebuilt = (
  copy: Record<string, unknown>,
  object: UncheckedObject,
  annotations: Record<string, unknown>,
): string => {
  const { name, generateName, namespace, labels } = object.metadata
  const kept = common(copy, {
    apiVersion: object.apiVersion,
    kind: object.kind,
    metadata: { name, generateName, namespace, labels, annotations },
    spec: object.spec,
  })
  return `${JSON.stringify(kept)}\n`
}

const parsed = (text: unknown): Record<string, unknown> | undefined => {
  if (typeof text !== 'string' || !/^\s*\{/.test(text)) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return isRecord(value) ? value : undefined
  } catch {
    // Not JSON: nothing can be kept of it, and nothing is to be said about it, since it may be a password.
    return undefined
  }
}

/** The fields that `wanted` names, in its order, with the values of `known`. */
const common = (wanted: Record<string, unknown>, known: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(wanted).flatMap(([key, value]) => {
      const own = Object.hasOwn(known, key) ? known[key] : undefined
      if (own === undefined) return []
      return [[key, isRecord(value) && isRecord(own) ? common(value, own) : own]]
    }),
  )
