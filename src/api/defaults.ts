import { specSchema } from './schema.ts'

/** The part of the schema that says what stands for a field that is not given. */
interface Defaults {
  /** Every field has one. */
  type?: string
  default?: unknown
  properties?: Record<string, Defaults>
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const filled = (value: unknown, { properties = {} }: Defaults): unknown => {
  if (!isObject(value)) return value
  const result = { ...value }
  for (const [field, inner] of Object.entries(properties)) {
    const given = result[field] ?? inner.default
    if (given !== undefined) result[field] = filled(given, inner)
  }
  return result
}

/** The spec with its defaults, as the API server fills them in. What has another shape than the schema's is left as it is. */
export const withDefaults = (spec: unknown): unknown => filled(spec, specSchema)
