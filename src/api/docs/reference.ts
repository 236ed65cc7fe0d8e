/** docs/reference.md: every field of spec and status, every condition with its reasons. */
import { type ChangeClass, changeClasses } from '../changeClasses.ts'
import { type ConditionType, reasons } from '../conditions.ts'
import { apiVersion } from '../names.ts'
import { specSchema, statusSchema } from '../schema.ts'
import { code, generatedNote, table } from './markdown.ts'
import { meanings } from './meanings.ts'

/** What is read of a schema here. */
interface Schema {
  type?: string
  description?: string
  default?: unknown
  enum?: readonly unknown[]
  format?: string
  minimum?: number
  maximum?: number
  maxLength?: number
  maxItems?: number
  maxProperties?: number
  required?: readonly string[]
  properties?: Readonly<Record<string, Schema>>
  items?: Schema
  additionalProperties?: Schema
  anyOf?: readonly Schema[]
}

interface Field {
  /** As in `passwordSecretRef.name` and `tolerations[].key`. */
  path: string
  schema: Schema
  required: boolean
}

/** All fields below a schema, parents before their children. */
export const fieldsOf = (schema: Schema, prefix = ''): Field[] =>
  Object.entries(schema.properties ?? {}).flatMap(([name, child]) => {
    const path = `${prefix}${name}`
    const required = schema.required?.includes(name) ?? false
    const inner = child.items ? fieldsOf(child.items, `${path}[].`) : fieldsOf(child, `${path}.`)
    return [{ path, schema: child, required }, ...inner]
  })

const limitOf = ({ minimum, maximum, maxLength, maxItems, maxProperties }: Schema): string => {
  if (minimum !== undefined && maximum !== undefined) return `, ${minimum} to ${maximum}`
  if (maxLength !== undefined) return `, at most ${maxLength} characters`
  const most = maxItems ?? maxProperties
  return most === undefined ? '' : `, at most ${most}`
}

/** The type in words. */
export const typeOf = (schema: Schema): string => {
  if (schema.enum) return schema.enum.map((value) => code(String(value))).join(', ')
  if (schema.format === 'date-time') return 'time'
  if (schema.items) return `list of ${typeOf(schema.items)}s${limitOf(schema)}`
  if (schema.additionalProperties) return `map${limitOf(schema)}`
  return `${schema.type ?? 'any'}${limitOf(schema)}`
}

const defaultOf = ({ schema, required }: Field): string => {
  if (required) return 'required'
  return schema.default === undefined ? '' : code(JSON.stringify(schema.default))
}

const changeOf = (path: string): string => {
  const classes: Record<string, ChangeClass> = changeClasses
  return classes[path] ?? ''
}

const specTable = () =>
  table(
    ['Field', 'Type', 'Default', 'Change', 'Meaning'],
    fieldsOf(specSchema).map((field) => [
      code(field.path),
      typeOf(field.schema),
      defaultOf(field),
      changeOf(field.path),
      field.schema.description ?? '',
    ]),
  )

const statusTable = () =>
  table(
    ['Field', 'Type', 'Meaning'],
    fieldsOf(statusSchema).map(({ path, schema }) => [code(path), typeOf(schema), schema.description ?? '']),
  )

const conditionSection = (type: ConditionType): string => {
  const { is, when, reasons: words } = meanings[type]
  const rows = reasons[type].map((reason) => [code(reason), (words as Record<string, string>)[reason] ?? ''])
  return [`### ${type}`, `True: ${is} It is there ${when}.`, table(['Reason', 'Meaning'], rows)].join('\n\n')
}

/** The page as text. */
export const referencePage = (): string => {
  const parts = [
    generatedNote,
    '# Reference',
    `Kind \`MySQL\`, \`${apiVersion}\`, namespaced. \`kubectl get mysqls\` or \`ms\`; it is in \`kubectl get all\` too.`,
    'The same text is in the cluster: `kubectl explain mysqls.spec`. What is refused, and what to do then, is in [rules.md](rules.md).',
    '## Spec',
    'The column *Change* says what a change does to a database that is there. **live**: it is carried out without a restart. **rolling**: the pod is replaced, so there is a short interruption. **once**: refused after the resource was made. A field inside another one is of the same class.',
    specTable(),
    '## Status',
    statusTable(),
    '## Conditions',
    'Each has `status`, `reason`, `message`, `observedGeneration` and `lastTransitionTime`. What to do about them is in [runbooks.md](runbooks.md).',
    ...(Object.keys(reasons) as ConditionType[]).map(conditionSection),
  ]
  return `${parts.join('\n\n')}\n`
}
