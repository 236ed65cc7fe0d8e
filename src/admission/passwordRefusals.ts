/** Why a password in a request cannot be taken; nothing here quotes one. */
import { isOlder, versionOf } from '../api/image.ts'
import { isCredentialName, names } from '../api/names.ts'
import type { Violation } from '../api/rule.ts'
import { passwordProblem } from '../passwords/policy.ts'
import type { AccountCase } from './accountCase.ts'
import { accountFields, nameOf, type Sealed } from './accountFields.ts'

/** Everything that is wrong with the password that the request gives for the account. */
export const passwordRefusals = (about: AccountCase, password: unknown): Violation[] => [
  ...problemsOf(about, password),
  ...conflictsOf(about),
]

const problemsOf = ({ account, resourceName }: AccountCase, password: unknown): Violation[] => {
  const { password: inline, reference } = accountFields[account]
  const field = `spec.${inline}`
  if (typeof password !== 'string')
    return [{ field, message: 'is not a text: put it in quotes, or leave the field out' }]
  const problem = passwordProblem(password)?.replace(/^the password /, '')
  const unnamed =
    resourceName !== ''
      ? undefined
      : `cannot be hashed for a name that is yet to be generated: give metadata.name, or use ${reference}`
  return [problem, unnamed].flatMap((message) => (message === undefined ? [] : [{ field, message }]))
}

/** A password beside the user's own reference: nobody could say which one is meant. */
const conflictsOf = (about: AccountCase): Violation[] => {
  const { account, spec, inForce } = about
  const { password, reference } = accountFields[account]
  if (spec[reference] === undefined || inForce || isStoredAndOurs(about)) return []
  return [
    {
      field: `spec.${reference}`,
      message: `is set together with spec.${password}, and only one of them can be the password: remove one of the two`,
    },
  ]
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
  return [
    {
      field: 'spec.image',
      message: `is of a series without mysql_native_password, in which the password of ${account} was hashed for the old image: go to 8.0 first and give spec.${accountFields[account].password} again there`,
    },
  ]
}
