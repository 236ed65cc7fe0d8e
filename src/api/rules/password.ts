import type { MySQL } from '../mysql.ts'
import type { Rule } from '../rule.ts'

const inlineStored =
  'holds a password in clear, which only the operator’s webhook may see, and the webhook did not run'

const refName = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/
const refKey = /^[A-Za-z0-9._-]+$/

const reference = (
  field: 'passwordSecretRef' | 'userPasswordSecretRef',
  part: 'name' | 'key',
  pattern: RegExp,
  what: string,
): Rule => ({
  field: `spec.${field}.${part}`,
  refusal: `is not ${what}`,
  remedy:
    part === 'name'
      ? 'name a Secret of the same namespace, such as `kubectl get secrets` lists'
      : 'use letters, digits, "-", "_" and "."',
  cel: {
    at: 'spec',
    rule: `!has(self.${field}) || !has(self.${field}.${part}) || self.${field}.${part}.matches('${pattern.source}')`,
  },
  broken: ({ spec }: MySQL) => spec[field] !== undefined && !pattern.test(spec[field][part]),
})

/** Whoever may write a MySQL here need not be allowed anything there. */
const ownNamespace = (field: 'passwordSecretRef' | 'userPasswordSecretRef'): Rule => ({
  field: `spec.${field}.namespace`,
  refusal: 'is set, and a Secret of another namespace cannot be used',
  remedy: 'create the Secret in the namespace of this resource and leave `namespace` out',
  cel: {
    at: 'spec',
    // CEL keeps the plain word for itself.
    rule: `!has(self.${field}) || !has(self.${field}.__namespace__)`,
  },
  broken: ({ spec }: MySQL) => spec[field]?.namespace !== undefined,
})

const secretName = 'the name of a Secret'
const secretKey = 'a key that a Secret can have'

/**
 * Rules on passwords as they are stored. What may be *given* inline is judged by the webhook while it takes the password
 * out (`admission/inlinePasswords.ts`): a pattern here would quote a password in its error.
 */
export const passwordRules: Rule[] = [
  {
    field: 'spec.password',
    refusal: inlineStored,
    remedy: 'install the webhook (helm upgrade the operator), or use passwordSecretRef',
    cel: { at: 'spec', rule: '!has(self.password)' },
    broken: ({ spec }) => spec.password !== undefined,
  },
  {
    field: 'spec.user_password',
    refusal: inlineStored,
    remedy: 'install the webhook (helm upgrade the operator), or use userPasswordSecretRef',
    cel: { at: 'spec', rule: '!has(self.user_password)' },
    broken: ({ spec }) => spec.user_password !== undefined,
  },
  reference('passwordSecretRef', 'name', refName, secretName),
  reference('passwordSecretRef', 'key', refKey, secretKey),
  ownNamespace('passwordSecretRef'),
  reference('userPasswordSecretRef', 'name', refName, secretName),
  reference('userPasswordSecretRef', 'key', refKey, secretKey),
  ownNamespace('userPasswordSecretRef'),
]
