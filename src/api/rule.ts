import type { MySQL } from './mysql.ts'

/** Words of a refusal. */
export interface Refusal {
  /** What is refused; it never quotes a value, since a value may be a password. */
  refusal: string
  /** What to do instead. */
  remedy: string
}

/**
 * One thing that makes a MySQL resource wrong. The same rule guards in three places: as CEL inside the CRD (where it
 * holds without the webhook), in the webhook, and in the reconciler (for what came in while neither was there).
 */
export interface Rule extends Refusal {
  /** Path of the field, as kubectl prints it. The rule looks at this field of the spec only, or at the name. */
  field: string
  /** The same in CEL, on the resource or on its spec; absent where CEL cannot say it. */
  cel?: { at: 'resource' | 'spec'; rule: string }
  /** Compares with the stored resource and with the running server: the reconciler, which has only the latter, asks too. */
  asksServer?: true
  /** True if the resource is wrong; `was` is the stored resource on an update. */
  broken: (now: MySQL, was?: MySQL) => boolean
}

/** A rule that a resource breaks, or a schema error, in the words that a person gets to see. */
export interface Violation {
  field: string
  message: string
}

/** The words for a broken rule, the same in CEL and in the webhook. */
export const explain = ({ refusal, remedy }: Refusal): string => `${refusal}: ${remedy}`
