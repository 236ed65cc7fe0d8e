import { isRecord } from './record.ts'

/**
 * managedFields without the given fields of `spec`. Who is still written down as the owner of a field that is gone gets a
 * conflict at the next server-side apply. Parents that would be left empty go too: an empty one claims the whole parent.
 */
export const withoutFields = (managedFields: unknown, fields: readonly string[]): unknown => {
  if (!Array.isArray(managedFields)) return managedFields
  return managedFields.flatMap((entry: unknown) => {
    if (!isRecord(entry) || !isRecord(entry.fieldsV1)) return [entry]
    const spec = entry.fieldsV1['f:spec']
    if (!isRecord(spec) || !fields.some((field) => `f:${field}` in spec)) return [entry]
    const fieldsV1 = replaced(entry.fieldsV1, 'f:spec', without(spec, fields))
    return Object.keys(fieldsV1).length === 0 ? [] : [{ ...entry, fieldsV1 }]
  })
}

/** An entry but for its time, to be compared: the API server always writes fields in the same order. */
const withoutTime = (entry: unknown): string => {
  if (!isRecord(entry)) return JSON.stringify(entry)
  const { time: _, ...rest } = entry
  return JSON.stringify(rest)
}

/**
 * `managedFields`, or those of `before` if only times and the order, which follows them, differ: the API server dated an
 * entry anew for a field that is taken out again, and a date alone would be a new resourceVersion.
 */
export const withTimesOf = (before: unknown, managedFields: unknown): unknown => {
  if (!Array.isArray(before) || !Array.isArray(managedFields)) return managedFields
  if (before.length !== managedFields.length) return managedFields
  const known = new Set(before.map(withoutTime))
  return managedFields.every((entry) => known.has(withoutTime(entry))) ? before : managedFields
}

const without = (spec: Record<string, unknown>, fields: readonly string[]) => {
  const gone = new Set(fields.map((field) => `f:${field}`))
  return Object.fromEntries(Object.entries(spec).filter(([key]) => !gone.has(key)))
}

const replaced = (object: Record<string, unknown>, key: string, value: Record<string, unknown>) =>
  Object.fromEntries(
    Object.entries(object).flatMap(([k, v]) => {
      if (k !== key) return [[k, v]]
      return Object.keys(value).filter((field) => field !== '.').length === 0 ? [] : [[k, value]]
    }),
  )
