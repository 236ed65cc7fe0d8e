/** Why a password in a request cannot be taken; nothing here quotes one. */
import { accountFields } from '../api/accountFields.ts'
import { isOlder, versionOf } from '../api/image.ts'
import { isCredentialName, names } from '../api/names.ts'
import { bothGiven, pastNativeRefusal, requestRules, unnamed } from '../api/requestRules.ts'
import { explain, type Violation } from '../api/rule.ts'
import { passwordProblem } from '../passwords/policy.ts'
import type { AccountCase } from './accountCase.ts'
import { nameOf, type Sealed } from './accountFields.ts'

/** Everything that is wrong with the password that the request gives for the account. */
export const passwordRefusals = (about: AccountCase, password: unknown): Violation[] => [
  ...problemsOf(about, password),
  ...conflictsOf(about),
]

const problemsOf = ({ account, resourceName }: AccountCase, password: unknown): Violation[] => {
  const fields = accountFields[account]
  const field = `spec.${fields.password}`
  if (typeof password !== 'string') return [{ field, message: explain(requestRules.noText) }]
  const problem = passwordProblem(password)?.replace(/^the password /, '')
  const nameless = resourceName === '' ? explain(unnamed(fields)) : undefined
  return [problem, nameless].flatMap((message) => (message === undefined ? [] : [{ field, message }]))
}

/** A password beside the user's own reference: nobody could say which one is meant. */
const conflictsOf = (about: AccountCase): Violation[] => {
  const { account, spec, inForce } = about
  const { reference } = accountFields[account]
  if (spec[reference] === undefined || inForce || isStoredAndOurs(about)) return []
  return [{ field: `spec.${reference}`, message: explain(bothGiven(accountFields[account])) }]
}

/**
 * A reference that nobody asks for in this request: it is the stored one, and its name is one that the operator gives. So it is
 * of a generated password, or of a hash whose seal no longer opens because the operator key was lost. What is asked for is the
 * password; whoever may write it could have taken the reference away in the same step.
 */
const isStoredAndOurs = ({ account, identity, spec, oldSpec }: AccountCase): boolean => {
  const given = nameOf(spec[accountFields[account].reference])
  if (typeof given !== 'string' || given !== nameOf(oldSpec[accountFields[account].reference])) return false
  if (account === 'root' && given === names.generatedRoot(identity.name)) return true
  return isCredentialName(given, identity.name, account)
}

/** A hash in the old form cannot come along to a server that no longer loads that plugin. */
export const pastNative = ({ account, spec, oldSpec }: AccountCase, inForce: Sealed): Violation[] => {
  if (spec.image === oldSpec.image) return []
  const version = typeof spec.image === 'string' ? versionOf(spec.image) : undefined
  if (inForce.credential.plugin !== 'mysql_native_password' || !version) return []
  if (isOlder(version, { major: 8, minor: 4 })) return []
  return [{ field: 'spec.image', message: explain(pastNativeRefusal(account, accountFields[account])) }]
}
