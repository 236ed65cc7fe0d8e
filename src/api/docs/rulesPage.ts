/** docs/rules.md: what is refused, what to do instead, and who refuses it. */
import { type AccountFields, accountFields } from '../accountFields.ts'
import { type Account, accounts } from '../names.ts'
import { bothGiven, pastNativeRefusal, requestRules, tooManyCopies, unnamed } from '../requestRules.ts'
import type { Refusal, Rule } from '../rule.ts'
import { rules } from '../rules.ts'
import { specSchema } from '../schema.ts'
import { warnings } from '../warnings.ts'
import { code, generatedNote, table } from './markdown.ts'
import { fieldsOf, typeOf } from './reference.ts'

/** One line of the table. */
interface Row extends Refusal {
  fields: readonly string[]
  where: string
}

/** A rule that looks at the stored resource as well says nothing about a resource alone, which is all the reconciler has. */
const isAboutChange = ({ broken, asksServer }: Rule) => broken.length > 1 && !asksServer

const ruleRow = (rule: Rule): Row => ({
  ...rule,
  fields: [rule.field],
  where: [...(rule.cel ? ['CEL'] : []), 'webhook', ...(isAboutChange(rule) ? [] : ['reconciler'])].join(', '),
})

/** What the schema itself refuses. The webhook asks it first, to say with the refusal what the field takes. */
const schemaRows: Row[] = fieldsOf(specSchema).map(({ path, schema, required }) => ({
  fields: [`spec.${path}`],
  refusal: `${required ? 'is missing, or ' : ''}${schema.enum ? 'is not one of' : 'has another form than'} ${typeOf(schema)}`,
  remedy: 'do as the refusal says, or the [reference](reference.md#spec)',
  where: 'schema, webhook, reconciler',
}))

const ofAccount = (account: Account, fields: AccountFields): Row[] => {
  const [password, reference] = [[`spec.${fields.password}`], [`spec.${fields.reference}`]]
  const where = 'webhook'
  return [
    { fields: password, ...requestRules.noText, where },
    {
      fields: password,
      refusal: 'is empty, longer than 256 bytes of UTF-8, holds a NUL byte, or is not well-formed',
      remedy: 'give another password',
      where,
    },
    { fields: password, ...unnamed(fields), where },
    { fields: reference, ...bothGiven(fields), where },
    { fields: reference, ...requestRules.notReadable, where },
    { fields: reference, ...requestRules.rightUnknown, where },
    { fields: reference, ...requestRules.operatorsSecret, where: 'webhook, reconciler' },
    { fields: ['spec.image'], ...pastNativeRefusal(account, fields), where },
  ]
}

/** About the request, its author and the cluster. What a policy says stands in the chart. */
const requestRows: Row[] = [
  { fields: ['metadata.namespace'], ...requestRules.operatorsNamespace, where: 'webhook, policy' },
  {
    fields: ['metadata.namespace'],
    refusal: 'is `kube-system`',
    remedy: 'choose another namespace',
    where: 'policy',
  },
  { fields: ['apiVersion'], ...requestRules.otherVersion, where: 'webhook' },
  { fields: ['metadata.name', 'metadata.namespace'], ...requestRules.renamed, where: 'webhook' },
  { fields: ['metadata.annotations'], ...requestRules.tooLarge, where: 'webhook' },
  { fields: ['metadata.annotations'], ...tooManyCopies('more'), where: 'webhook' },
  ...accounts.flatMap((account) => ofAccount(account, accountFields[account])),
  {
    fields: ['spec.imagePullSecrets'],
    refusal: 'names a Secret that it did not name before and that you may not read, if it exists',
    remedy: requestRules.notReadable.remedy,
    where: 'policy',
  },
  { fields: ['spec.storageClassName'], ...requestRules.noSuchClass, where: 'webhook' },
  { fields: ['the password'], ...requestRules.tooOften, where: 'webhook' },
  {
    fields: ['DELETE'],
    refusal: 'meets `spec.deletionProtection: true`',
    remedy: 'set it to false first; the refusal has the command',
    where: 'policy',
  },
]

/** Rows of the same words are one. */
const merged = (rows: readonly Row[]): Row[] => {
  const found = new Map<string, Row>()
  for (const row of rows) {
    const words = [row.refusal, row.remedy, row.where].join('\n')
    const fields = [...(found.get(words)?.fields ?? []), ...row.fields]
    found.set(words, { ...row, fields })
  }
  return [...found.values()]
}

/** First metadata, then the spec in the order of the schema, last what is about no field. */
const placeOf = ({ fields: [first = ''] }: Row): number => {
  const [part, field = ''] = first.split('.')
  if (part === 'metadata') return -1
  return part === 'spec' ? Object.keys(specSchema.properties).indexOf(field) : 1000
}

const rows = [
  ...merged([...rules.map(ruleRow), ...requestRows]).toSorted((a, b) => placeOf(a) - placeOf(b)),
  ...merged(schemaRows),
]

/** The page as text. */
export const rulesPage = (): string => {
  const parts = [
    generatedNote,
    '# Rules',
    'A resource is refused with everything that is wrong with it alone at once; what only the cluster can tell comes after that. Of a change only the fields that differ are judged: what a later rule refuses may stay as it is, and never keeps a resource from being labelled, mended or deleted. So changes of labels, annotations and finalizers alone are not judged, nor does the webhook look at a resource that is being deleted.',
    'Who refuses: **schema** and **CEL** are in the CRD, so the API server checks them even when the operator is not there. **webhook**: the operator, before the resource is stored; it asks schema and CEL rules too, to answer with all of them at once. **reconciler**: the operator again at each run, for what was stored while nobody looked; the condition `Degraded` says so then, with the reason `Invalid`, and `CredentialsReady` about Secrets. **policy**: a ValidatingAdmissionPolicy of the chart. A field that does not exist is refused by the API server, which names it.',
    table(
      ['Field', 'Refused if it …', 'Do this', 'Where'],
      rows.map(({ fields, refusal, remedy, where }) => [
        fields.map((field) => (field.includes('.') ? code(field) : field)).join(', '),
        refusal,
        remedy,
        where,
      ]),
    ),
    '## Warnings',
    'These are allowed; kubectl prints them. Of what has to be looked up only that is told which the writer may read anyway. A look-up that fails or takes too long is a warning too, and never a refusal, but for the right to read a Secret: that nobody answered is no permission.',
    [
      ...warnings.map(({ text }) => text),
      'an inline password; a Secret or key that does not exist yet; a password in a Secret that cannot be used or ends in a line break; a Secret whose password is in `last-applied-configuration` too',
      'a StorageClass whose volumes cannot grow; a ResourceQuota that leaves no room; objects of somebody else that have a name which is needed',
    ]
      .map((text) => `- ${text}`)
      .join('\n'),
  ]
  return `${parts.join('\n\n')}\n`
}
