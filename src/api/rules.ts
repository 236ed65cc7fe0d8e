import { isDeepStrictEqual } from 'node:util'
import { Ajv, type ErrorObject } from 'ajv'
import type { MySQL } from './mysql.ts'
import { explain, type Rule, type Violation } from './rule.ts'
import { backupRules } from './rules/backup.ts'
import { databaseRules } from './rules/database.ts'
import { nameRules } from './rules/name.ts'
import { onceRules } from './rules/once.ts'
import { passwordRules } from './rules/password.ts'
import { storageRules } from './rules/storage.ts'
import { workloadRules } from './rules/workload.ts'
import { specSchema } from './schema.ts'

/** Every rule on a stored resource, in the order in which the documentation lists them. */
export const rules: readonly Rule[] = [
  ...nameRules,
  ...databaseRules,
  ...passwordRules,
  ...storageRules,
  ...workloadRules,
  ...backupRules,
  ...onceRules,
]

const ajv = new Ajv({
  allErrors: true,
  strict: true,
  strictTypes: false,
  formats: { 'date-time': true, int64: true },
})
ajv.addVocabulary([
  'x-kubernetes-int-or-string',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-map-type',
])
const fitsSchema = ajv.compile(specSchema)

interface Bounds {
  /** Every field has one; it is no bound. */
  type?: string
  maxItems?: number
  maxProperties?: number
  properties?: Record<string, Bounds>
}

/** The schema's bounds on lists and maps, and nothing else: as many errors as it has fields, and no more. */
const boundsOf = ({ maxItems, maxProperties, properties }: Bounds): Bounds => ({
  ...(maxItems === undefined ? {} : { maxItems }),
  ...(maxProperties === undefined ? {} : { maxProperties }),
  ...(properties === undefined
    ? {}
    : {
        properties: Object.fromEntries(
          Object.entries(properties).map(([name, inner]) => [name, boundsOf(inner)]),
        ),
      }),
})

/** Asked first: a list of a million wrong items would be a million errors, which no heap holds. */
const fitsBounds = ajv.compile(boundsOf(specSchema))

const longestPath = 200

const pathOf = ({ instancePath, keyword, params }: ErrorObject) => {
  const missing = keyword === 'required' ? `/${String(params.missingProperty)}` : ''
  // A key in a map can be of any length.
  return `spec${instancePath.slice(0, longestPath)}${missing}`.replaceAll('/', '.')
}

/** The description in the schema is the remedy for a field of the wrong shape: it says what the field takes. */
const descriptionOf = (path: string): string | undefined => {
  const field = path.split('.')[1] ?? ''
  return (specSchema.properties as Record<string, { description?: string }>)[field]?.description
}

const schemaViolation = (error: ErrorObject): Violation => {
  const field = pathOf(error)
  const wrong = error.keyword === 'required' ? 'is required' : (error.message ?? 'has a wrong shape')
  const allowed = error.keyword === 'enum' ? ` (${(error.params.allowedValues as string[]).join(', ')})` : ''
  return {
    field,
    message: `${wrong}${allowed}: ${descriptionOf(field) ?? 'see the reference of this field'}`,
  }
}

/**
 * What of the spec has a shape that the schema does not allow; where a list or map is too large, only that. No value is
 * quoted: one of them may be a password.
 */
export const schemaViolations = (spec: unknown): Violation[] => {
  const unfit = [fitsBounds, fitsSchema].find((fits) => !fits(spec))
  return (unfit?.errors ?? []).map(schemaViolation)
}

/** `database` of `spec.database`, and of whatever is in it. */
const partOf = (path: string) => path.split('.')[1] as keyof MySQL['spec'] | undefined

/**
 * Whether an update leaves the field as it is stored. It is not judged then, or a rule that comes later would keep a
 * resource from being mended, and from losing its deletion protection. A name is never changed.
 */
const isKept = (path: string, now: MySQL, was: MySQL | undefined): boolean => {
  if (!was) return false
  const part = partOf(path)
  if (path.startsWith('metadata.')) return true
  return part !== undefined && isDeepStrictEqual(now.spec[part], was.spec[part])
}

/** `schemaViolations` of a resource, but for what an update leaves as it is stored. */
export const shapeViolations = (now: MySQL, was?: MySQL): Violation[] =>
  schemaViolations(now.spec).filter(({ field }) => !isKept(field, now, was))

/**
 * Everything that is wrong with a resource, all at once; empty if nothing is. On an update `was` is the stored resource,
 * and only fields that differ from it are judged. Rules are only asked about fields of the right shape.
 */
export const violations = (now: MySQL, was?: MySQL): Violation[] => {
  const shape = shapeViolations(now, was)
  if (shape.length > 0) return shape
  const misshapen = new Set(was ? schemaViolations(was.spec).map(({ field }) => partOf(field)) : [])
  return rules
    .filter(({ field }) => !isKept(field, now, was))
    .filter((rule) => rule.broken(now, misshapen.has(partOf(rule.field)) ? undefined : was))
    .map((rule) => ({ field: rule.field, message: explain(rule) }))
}

/** More than anybody mends at a time, and an answer stays small. */
const mostTold = 20

/** What is told of the violations: the first of them, and how many more there are. */
export const told = (found: readonly Violation[]): Violation[] => {
  const more = found.length - mostTold
  if (more <= 0) return [...found]
  return [
    ...found.slice(0, mostTold),
    { field: 'spec', message: `and ${more} more are wrong: correct those above first` },
  ]
}

/** Violations as one line for a status message or an event. */
export const summary = (found: readonly Violation[]): string =>
  told(found)
    .map(({ field, message }) => `${field} ${message}`)
    .join('; ')
