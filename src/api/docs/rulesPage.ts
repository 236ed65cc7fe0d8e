/** docs/rules.md: what is refused, what to do instead, and who refuses it. */
import type { Rule } from '../rule.ts'
import { rules } from '../rules.ts'
import { warnings } from '../warnings.ts'
import { code, generatedNote, table } from './markdown.ts'

/** A rule that looks at the stored resource as well says nothing about a resource alone, which is all the reconciler has. */
const isAboutChange = ({ broken }: Rule) => broken.length > 1

const enforcedIn = (rule: Rule): string =>
  [...(rule.cel ? ['CRD'] : []), 'webhook', ...(isAboutChange(rule) ? [] : ['reconciler'])].join(', ')

const rulesTable = () =>
  table(
    ['Field', 'Refused if it …', 'Do this', 'Where'],
    rules.map((rule) => [code(rule.field), rule.refusal, rule.remedy, enforcedIn(rule)]),
  )

/** Rules of the room `admission` and of the chart's policies, which are not about the stored resource alone. */
const others = [
  [
    '`metadata.namespace`',
    'is the operator’s own namespace or `kube-system`',
    'use a namespace of its own',
    'policy',
  ],
  [
    '`metadata.name`',
    'is left to `generateName` while a password is inline',
    'give a name, or use a Secret',
    'webhook',
  ],
  [
    '`spec.password`, `spec.user_password`',
    'is empty, longer than 256 bytes of UTF-8, holds a NUL byte, or is no text',
    'give another password, in quotes',
    'webhook',
  ],
  [
    '`spec.passwordSecretRef`, `spec.userPasswordSecretRef`',
    'stands beside an inline password of the same account',
    'remove one of the two',
    'webhook',
  ],
  [
    '`spec.passwordSecretRef`, `spec.userPasswordSecretRef`',
    'names a Secret that the writer of the resource may not `get`, or that could not be checked in time',
    'ask for the right, or name another one; try again',
    'webhook',
  ],
  [
    '`spec.passwordSecretRef`, `spec.userPasswordSecretRef`',
    'names a Secret that the operator made for another purpose',
    'name a Secret of your own',
    'webhook, reconciler',
  ],
  [
    '`spec.storageClassName`',
    'names a StorageClass that does not exist',
    'use one that `kubectl get storageclass` lists, or leave the field out',
    'webhook',
  ],
  [
    '`spec.image`',
    'moves to 8.4 or later while a password in force is hashed for `mysql_native_password`',
    'go to 8.0 first and give the password again there',
    'webhook',
  ],
  ['passwords', 'are changed more than about ten times a minute', 'wait a minute', 'webhook'],
  [
    'DELETE',
    'meets `spec.deletionProtection: true`',
    'set it to false first; the refusal has the command',
    'policy',
  ],
]

/** The page as text. */
export const rulesPage = (): string => {
  const parts = [
    generatedNote,
    '# Rules',
    'A resource is refused with everything that is wrong with it alone at once; what only the cluster can tell comes after that. Changes of labels, annotations and finalizers alone are not judged, nor does the webhook look at a resource that is being deleted.',
    '**CRD**: a rule in CEL, which the API server checks even when the operator is not there. **webhook**: checked by the operator before the resource is stored. **reconciler**: checked again at each run, for what was stored while nobody looked; the condition `Degraded` says so then, with the reason `Invalid`. **policy**: a ValidatingAdmissionPolicy of the chart. Types, lengths, allowed values and required fields are in the [reference](reference.md); the CRD, the webhook and the reconciler check them.',
    '## About the resource',
    rulesTable(),
    '## About the request and the cluster',
    table(['What', 'Refused if it …', 'Do this', 'Where'], others),
    '## Warnings',
    'These are allowed; kubectl prints them. The webhook warns as well of an inline password, of a Secret or key that does not exist yet, of a password in a Secret that cannot be used or ends in a line break, of a Secret whose password is in `last-applied-configuration` too, and of what it could not look up in time.',
    warnings.map(({ text }) => `- ${text}`).join('\n'),
  ]
  return `${parts.join('\n\n')}\n`
}
