/** Takes inline passwords out of a MySQL resource before it is stored; pure but for the hashing. */
import { accountFields } from '../api/accountFields.ts'
import { accounts, sealedAnnotation } from '../api/names.ts'
import type { Violation } from '../api/rule.ts'
import { caseOf, isInForce, tagOf } from './accountCase.ts'
import { annotationsOf } from './accountFields.ts'
import { judge, type PasswordInputs, type Verdict } from './accountVerdict.ts'
import { scrubbed } from './lastApplied.ts'
import { withoutFields, withTimesOf } from './managedFields.ts'
import { isRecord } from './record.ts'
import type { UncheckedObject } from './review.ts'

/** The resource as it should be stored, what is wrong with its passwords, and what its author should know. */
export interface Settled {
  object: UncheckedObject
  violations: Violation[]
  warnings: string[]
}

/** Passwords that a request gives where there is a sealed one in force: the answer tells whether it is the same. */
export interface Guesses {
  given: number
  /** Those that are another one: a change, or a guess that was wrong. */
  wrong: number
}

const inlineFields = accounts.map((account) => accountFields[account].password)

/**
 * The object without inline passwords: hashes sealed into annotations, references to the Secrets that the reconciler makes
 * of them. Leaves its arguments alone. Applied to its own result it changes nothing.
 */
export const settlePasswords = async (
  namespace: string,
  object: UncheckedObject,
  oldObject: UncheckedObject | undefined,
  inputs: PasswordInputs,
): Promise<Settled> => {
  if (!isRecord(object.spec)) return { object, violations: [], warnings: [] }
  const spec: Record<string, unknown> = { ...object.spec }
  const annotations = annotationsOf(object)
  const verdicts: Verdict[] = []
  for (const account of accounts) {
    const verdict = await judge(caseOf(account, namespace, object, oldObject, inputs.key), inputs)
    assign(spec, accountFields[account].reference, verdict.reference)
    assign(annotations, sealedAnnotation(account), verdict.sealed)
    verdicts.push(verdict)
  }
  for (const field of inlineFields) delete spec[field]
  const { managedFields } = object.metadata
  const metadata = {
    ...object.metadata,
    ...(managedFields === undefined
      ? {}
      : {
          managedFields: withTimesOf(
            oldObject?.metadata.managedFields,
            withoutFields(managedFields, inlineFields),
          ),
        }),
  }
  const bare = { ...object, metadata: withAnnotations(metadata, annotations), spec }
  const clean = scrubbed(annotations, bare)
  return {
    object: { ...bare, metadata: withAnnotations(metadata, clean.annotations) },
    violations: [...verdicts.flatMap(({ violations = [] }) => violations), ...clean.violations],
    warnings: verdicts.flatMap(({ warning }) => warning ?? []),
  }
}

/**
 * The guesses in a request, on CREATE as well: whoever may read a resource can send its sealed annotation along. Waits for
 * nothing, so that no other request can come between the count and what is done about it.
 */
export const guessesIn = (
  namespace: string,
  object: UncheckedObject,
  oldObject: UncheckedObject | undefined,
  key: Buffer,
): Guesses => {
  const same = accounts.flatMap((account) => {
    const about = caseOf(account, namespace, object, oldObject, key)
    const password = about.spec[accountFields[account].password]
    if (!about.inForce || typeof password !== 'string') return []
    const bytes = Buffer.from(password, 'utf8')
    try {
      return [isInForce(about, tagOf(about, bytes, key))]
    } finally {
      bytes.fill(0)
    }
  })
  return { given: same.length, wrong: same.filter((each) => !each).length }
}

/** No annotations at all where there were none and none came: not an empty object, which would be a change. */
const withAnnotations = (metadata: Record<string, unknown>, annotations: Record<string, unknown>) => {
  if (Object.keys(annotations).length > 0 || isRecord(metadata.annotations))
    return { ...metadata, annotations }
  return metadata
}

const assign = (object: Record<string, unknown>, key: string, value: unknown) => {
  if (value === undefined) delete object[key]
  else object[key] = value
}
