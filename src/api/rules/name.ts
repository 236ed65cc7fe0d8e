import { longestName } from '../names.ts'
import type { Rule } from '../rule.ts'

/** Rules on the resource's own name: Services, Jobs and claims are named after it. */
export const nameRules: Rule[] = [
  {
    field: 'metadata.name',
    refusal: 'is not a name that a Service can carry',
    remedy: 'use lower-case letters, digits and "-", begin with a letter and end with a letter or digit',
    cel: { at: 'resource', rule: "self.metadata.name.matches('^[a-z][a-z0-9-]*[a-z0-9]$')" },
    broken: ({ metadata }) => !/^[a-z][a-z0-9-]*[a-z0-9]$/.test(metadata.name),
  },
  {
    field: 'metadata.name',
    refusal: `is longer than ${longestName} characters, so the names of its Jobs would be too long`,
    remedy: 'choose a shorter name',
    cel: { at: 'resource', rule: `size(self.metadata.name) <= ${longestName}` },
    broken: ({ metadata }) => metadata.name.length > longestName,
  },
  {
    field: 'metadata.name',
    refusal: 'begins with "backup-" or ends in "-pods", which another database’s objects may be called',
    remedy: 'choose a name without that beginning and ending',
    cel: {
      at: 'resource',
      rule: "!self.metadata.name.startsWith('backup-') && !self.metadata.name.endsWith('-pods')",
    },
    broken: ({ metadata }) => metadata.name.startsWith('backup-') || metadata.name.endsWith('-pods'),
  },
]
