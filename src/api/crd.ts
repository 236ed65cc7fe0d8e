import { group, names, version } from './names.ts'
import { explain, type Rule } from './rule.ts'
import { rules } from './rules.ts'
import { specSchema, statusSchema } from './schema.ts'

/**
 * The rule, but for what an update leaves as it is stored: the API server itself skips only rules on a spec that is the same
 * as a whole, and the name even when a finalizer goes. A rule about changes needs no such exception.
 */
const ratcheted = ({ at, rule }: NonNullable<Rule['cel']>, field: string) => {
  if (rule.includes('oldSelf')) return { rule }
  const [now, was] = ['self', 'oldSelf.value()'].map((one) => `${one}.${field.split('.')[1]}`)
  // Not with `.?`: the API server cannot tell what that costs.
  const kept = at === 'spec' ? ` && has(${now}) && has(${was}) && ${now} == ${was}` : ''
  return { rule: `(oldSelf.hasValue()${kept}) || (${rule})`, optionalOldSelf: true }
}

const validations = (at: 'resource' | 'spec') =>
  rules.flatMap((rule) => {
    if (rule.cel?.at !== at) return []
    // The path of a rule on the resource itself cannot name metadata: the schema knows nothing inside it.
    const fieldPath = at === 'spec' ? { fieldPath: rule.field.slice('spec'.length) } : {}
    const message = at === 'spec' ? explain(rule) : `${rule.field} ${explain(rule)}`
    return [{ ...ratcheted(rule.cel, rule.field), message, ...fieldPath }]
  })

const columns = [
  { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
  { name: 'Status', type: 'string', jsonPath: '.status.message' },
  { name: 'Version', type: 'string', jsonPath: '.status.version' },
  { name: 'Database', type: 'string', jsonPath: '.spec.database' },
  { name: 'Storage', type: 'string', jsonPath: '.spec.storage_size' },
  { name: 'Last backup', type: 'date', jsonPath: '.status.backup.lastSuccess' },
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  { name: 'Verified', type: 'date', jsonPath: '.status.backup.verifiedAt', priority: 1 },
  { name: 'Image', type: 'string', jsonPath: '.spec.image', priority: 1 },
]

/** The CustomResourceDefinition, made from the schema and the rules. */
export const crd = () => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: {
    name: `mysqls.${group}`,
    annotations: {
      // Removing the operator must not remove every database's resource, and with it the data.
      'helm.sh/resource-policy': 'keep',
    },
  },
  spec: {
    group,
    scope: 'Namespaced',
    names: {
      kind: 'MySQL',
      listKind: 'MySQLList',
      plural: 'mysqls',
      singular: 'mysql',
      shortNames: ['ms'],
      categories: ['all'],
    },
    versions: [
      {
        name: version,
        served: true,
        storage: true,
        subresources: { status: {} },
        additionalPrinterColumns: columns,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            description: `A MySQL database with an account, its volume, and backups that outlive it (claim ${names.backups('<name>')}).`,
            required: ['spec'],
            properties: {
              apiVersion: { type: 'string' },
              kind: { type: 'string' },
              metadata: { type: 'object' },
              spec: { ...specSchema, 'x-kubernetes-validations': validations('spec') },
              status: statusSchema,
            },
            'x-kubernetes-validations': validations('resource'),
          },
        },
      },
    ],
  },
})
