import { isDeepStrictEqual } from 'node:util'
import type { Rule } from '../rule.ts'
import type { MySQLSpec } from '../schema.ts'

/**
 * A field that keeps the value it was made with. The CEL stands on the spec and not on the field: a rule on the field
 * itself is skipped when the field is added or removed.
 */
const once = (field: keyof MySQLSpec, remedy: string): Rule => ({
  field: `spec.${field}`,
  refusal: 'cannot be changed after the resource was made',
  remedy,
  cel: {
    at: 'spec',
    rule: `has(self.${field}) == has(oldSelf.${field}) && (!has(self.${field}) || self.${field} == oldSelf.${field})`,
  },
  broken: (now, was) => was !== undefined && !isDeepStrictEqual(now.spec[field], was.spec[field]),
})

/** Fields of the change class *once*. */
export const onceRules: Rule[] = [
  once('database', 'put the old name back; make a second resource for a second database'),
  once('user', 'put the old name back; make further accounts with SQL as root'),
  once(
    'storageClassName',
    'put the old class back; to move, delete the resource (a last dump is made) and make it again',
  ),
  once('restore', 'put the old value back; it is only read while an empty database is made'),
]
