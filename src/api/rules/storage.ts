import { compareQuantities, parseQuantity } from '../quantity.ts'
import type { Rule } from '../rule.ts'

const least = '256Mi'

/** The order of the new and the stored size; 0 where there is nothing to compare. */
const order = (now: string, was: string | undefined) =>
  was === undefined ? 0 : (compareQuantities(now, was) ?? 0)

/**
 * An exponent of three digits is none. The API server would work on 1e99999999 until the request times out, so this is
 * asked first; a pattern in the schema would not keep it from asking the rules.
 */
const isSize = (self: 'self' | 'oldSelf') =>
  `!${self}.storage_size.matches('[eE][+-]?[0-9]{3}') && isQuantity(${self}.storage_size)`
const bothSizes = `${isSize('self')} && ${isSize('oldSelf')}`

/** Rules on the volumes. */
export const storageRules: Rule[] = [
  {
    field: 'spec.storage_size',
    refusal: 'is not a size',
    remedy: 'write a number with a unit, such as 1Gi or 500Mi',
    cel: { at: 'spec', rule: `!has(self.storage_size) || (${isSize('self')})` },
    broken: ({ spec }) => parseQuantity(spec.storage_size) === undefined,
  },
  {
    field: 'spec.storage_size',
    refusal: `is less than ${least}, which an empty server needs`,
    remedy: `ask for ${least} or more`,
    cel: {
      at: 'spec',
      rule: `!has(self.storage_size) || !(${isSize('self')}) || quantity(self.storage_size).compareTo(quantity('${least}')) >= 0`,
    },
    broken: ({ spec }) => compareQuantities(spec.storage_size, least) === -1,
  },
  {
    field: 'spec.storage_size',
    refusal: 'is smaller than before, and a volume cannot shrink',
    remedy:
      'put the old size back; to get a smaller volume, delete the resource (a last dump is made) and make it again',
    cel: {
      at: 'spec',
      rule: `!has(self.storage_size) || !has(oldSelf.storage_size) || !(${bothSizes}) || quantity(self.storage_size).compareTo(quantity(oldSelf.storage_size)) >= 0`,
    },
    broken: (now, was) => order(now.spec.storage_size, was?.spec.storage_size) < 0,
  },
  {
    field: 'spec.storage_size',
    refusal: 'is larger than before, and this version of the operator cannot grow a volume',
    remedy:
      'put the old size back; to get a larger volume, delete the resource (a last dump is made) and make it again',
    cel: {
      at: 'spec',
      rule: `!has(self.storage_size) || !has(oldSelf.storage_size) || !(${bothSizes}) || quantity(self.storage_size).compareTo(quantity(oldSelf.storage_size)) <= 0`,
    },
    broken: (now, was) => order(now.spec.storage_size, was?.spec.storage_size) > 0,
  },
  {
    field: 'spec.storageClassName',
    refusal: 'is not the name of a StorageClass',
    remedy: 'use a name that `kubectl get storageclass` lists, or leave the field out for the default one',
    cel: {
      at: 'spec',
      rule: "!has(self.storageClassName) || self.storageClassName.matches('^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$')",
    },
    broken: ({ spec }) =>
      spec.storageClassName !== undefined && !/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(spec.storageClassName),
  },
  {
    field: 'spec.restore.from',
    refusal: 'is neither "latest", "none" nor the file name of a dump',
    remedy:
      'name a file that lies on the backup volume, such as shop-20260102T030405Z.sql.gz, without any "/"',
    cel: {
      at: 'spec',
      rule: "!has(self.restore) || !has(self.restore.from) || self.restore.from.matches('^(latest|none|[A-Za-z0-9][A-Za-z0-9._-]*[.]sql([.]gz)?)$')",
    },
    broken: ({ spec }) => !/^(latest|none|[A-Za-z0-9][A-Za-z0-9._-]*[.]sql([.]gz)?)$/.test(spec.restore.from),
  },
]
