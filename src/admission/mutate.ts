import jsonPatch from 'fast-json-patch'
import { accountFields } from '../api/accountFields.ts'
import { accounts, finalizer } from '../api/names.ts'
import { requestRules } from '../api/requestRules.ts'
import { explain } from '../api/rule.ts'
import type { PasswordInputs } from './accountVerdict.ts'
import type { Budget } from './budget.ts'
import { guessesIn, settlePasswords } from './inlinePasswords.ts'
import { isRecord } from './record.ts'
import {
  type AdmissionRequest,
  type Answer,
  allowed,
  denied,
  type Handler,
  patched,
  tooMany,
  type UncheckedObject,
} from './review.ts'
import {
  addressViolations,
  type Change,
  changeOf,
  isMisnamed,
  placeViolations,
  ruleViolations,
  versionViolations,
} from './scope.ts'

export interface MutateOptions extends PasswordInputs {
  /** The operator's own namespace, in which there may be no MySQL. */
  operatorNamespace: string
  /** Passwords per resource that are not the one in force. */
  guesses: Budget
}

/**
 * Takes inline passwords out, completes references and adds the finalizer. Refuses here already: the rules of the CRD run
 * before `/validate` does, and say less. Writes nothing anywhere, so a dry run is like any other.
 */
export const mutate =
  (options: MutateOptions): Handler =>
  async (request) => {
    const change = changeOf(request)
    if (!change) return allowed()
    const { object, oldObject } = change
    const refusal = refusedUnsettled(request, change, options)
    if (refusal) return refusal
    const settled = await settlePasswords(request.namespace, object, oldObject, options)
    const after = withFinalizer(settled.object)
    const found = [
      ...placeViolations(request, options.operatorNamespace),
      ...settled.violations,
      ...ruleViolations(after, oldObject),
    ]
    if (found.length > 0) return denied(found)
    return patched(jsonPatch.compare(object, after), settled.warnings)
  }

/** What is refused before a password is hashed. */
const refusedUnsettled = (
  request: AdmissionRequest,
  { object, oldObject }: Change,
  options: MutateOptions,
): Answer | undefined => {
  const misaddressed = [...versionViolations(request), ...addressViolations(request)]
  if (misaddressed.length > 0) return denied(misaddressed)
  // No Secret can be named after such a resource, and it is refused anyway: nothing is hashed for it. One that is there
  // already, from before the rule, may still change its labels and finalizers.
  if (!oldObject && isMisnamed(object)) return denied(ruleViolations(withoutPasswords(object), undefined))
  const seconds = spendGuesses(request.namespace, object, oldObject, options)
  return seconds === 0 ? undefined : tooMany(changedTooOften(seconds), seconds)
}

const changedTooOften = (seconds: number) =>
  `the password ${explain(requestRules.tooOften)} (${seconds} seconds)`

/**
 * Only a wrong guess costs something: a file that is applied again and again is in order, and a right guess needs no second
 * one. What is left is asked before either is answered, or the refusal itself would tell them apart, and it is charged
 * before anything is waited for: of many requests at the same time each finds what those before it have spent. What is
 * refused costs nothing, so that nobody is kept out for longer than the last try goes back. Answers seconds to wait.
 */
const spendGuesses = (
  namespace: string,
  object: UncheckedObject,
  oldObject: UncheckedObject | undefined,
  { guesses, key }: MutateOptions,
): number => {
  const { given, wrong } = guessesIn(namespace, object, oldObject, key)
  // The seal opens for the name in the object, so that is whose account is charged.
  const account = `${namespace}/${String(object.metadata.name ?? '')}`
  const seconds = given > 0 ? guesses.waitSeconds(account) : 0
  if (seconds === 0) guesses.spend(account, wrong)
  return seconds
}

const withoutPasswords = (object: UncheckedObject): UncheckedObject => {
  if (!isRecord(object.spec)) return object
  const given = new Set<string>(accounts.map((account) => accountFields[account].password))
  return {
    ...object,
    spec: Object.fromEntries(Object.entries(object.spec).filter(([field]) => !given.has(field))),
  }
}

/**
 * Added with the resource, and kept when `kubectl replace` comes with a file that has none, so that there is no moment at
 * which it could be deleted without its last dump.
 */
const withFinalizer = (object: UncheckedObject): UncheckedObject => {
  if (object.metadata.deletionTimestamp !== undefined) return object
  const finalizers: unknown[] = Array.isArray(object.metadata.finalizers) ? object.metadata.finalizers : []
  if (finalizers.includes(finalizer)) return object
  return { ...object, metadata: { ...object.metadata, finalizers: [...finalizers, finalizer] } }
}
