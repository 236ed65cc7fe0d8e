import { operatorAccount, operatorSchema } from '../names.ts'
import type { Rule } from '../rule.ts'

const systemSchemas = ['mysql', 'information_schema', 'performance_schema', 'sys', 'ndbinfo', operatorSchema]

/** "-" and "$" are written as five characters in the name of a database's directory, which may have 255 bytes. */
const directoryBytes = (database: string) => database.length + 4 * (database.match(/[$-]/g)?.length ?? 0)

/** Rules on the database and its account. */
export const databaseRules: Rule[] = [
  {
    field: 'spec.database',
    refusal: 'is not a database name',
    remedy: 'use 1 to 64 letters, digits, "_", "$" and "-", and begin with a letter, a digit or "_"',
    cel: {
      at: 'spec',
      rule: "!has(self.database) || self.database.matches('^[A-Za-z0-9_][A-Za-z0-9_$-]{0,63}$')",
    },
    broken: ({ spec }) => !/^[A-Za-z0-9_][A-Za-z0-9_$-]{0,63}$/.test(spec.database),
  },
  {
    field: 'spec.database',
    refusal: 'is longer than 255 bytes as the name of a directory, where "-" and "$" take 5 bytes each',
    remedy: 'use fewer "-" and "$"',
    cel: {
      at: 'spec',
      rule: "!has(self.database) || size(self.database) + 4 * (self.database.split('-').size() + self.database.split('$').size() - 2) <= 255",
    },
    broken: ({ spec }) => directoryBytes(spec.database) > 255,
  },
  {
    field: 'spec.database',
    refusal: 'is the name of a system schema',
    remedy: `choose another name than ${systemSchemas.join(', ')}`,
    cel: {
      at: 'spec',
      rule: `!has(self.database) || !(self.database.lowerAscii() in [${systemSchemas.map((s) => `'${s}'`).join(', ')}])`,
    },
    broken: ({ spec }) => systemSchemas.includes(spec.database.toLowerCase()),
  },
  {
    field: 'spec.user',
    refusal: 'is not an account name',
    remedy: 'use 1 to 32 letters, digits, "_", "." and "-"',
    cel: { at: 'spec', rule: "!has(self.user) || self.user.matches('^[A-Za-z0-9_.-]{1,32}$')" },
    broken: ({ spec }) => !/^[A-Za-z0-9_.-]{1,32}$/.test(spec.user),
  },
  {
    field: 'spec.user',
    refusal: 'is the name of an account that the server or the operator needs for itself',
    remedy: `choose another name than root, ${operatorAccount} and those that begin with "mysql."`,
    cel: {
      at: 'spec',
      rule: `!has(self.user) || !(self.user.lowerAscii() in ['root', '${operatorAccount}'] || self.user.lowerAscii().startsWith('mysql.'))`,
    },
    broken: ({ spec }) => /^(root|mysql_operator|mysql\..*)$/i.test(spec.user),
  },
]
