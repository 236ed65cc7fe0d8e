/** What becomes of one account's password in one request. */
import { accountFields } from '../api/accountFields.ts'
import { type Account, names } from '../api/names.ts'
import type { Violation } from '../api/rule.ts'
import type { Hasher } from '../passwords/hasher.ts'
import { seal } from '../passwords/seal.ts'
import { type AccountCase, isInForce, tagOf } from './accountCase.ts'
import { referenceTo } from './accountFields.ts'
import { passwordRefusals, pastNative } from './passwordRefusals.ts'

/** What hashing and sealing need; nothing of it is kept. */
export interface PasswordInputs {
  /** The operator key. */
  key: Buffer
  hasher: Pick<Hasher, 'hash'>
  /** Lower-case letters and digits that never come twice: the tail of a Secret's name. */
  randomSuffix: () => string
}

/** What is stored for the account. Without a seal the annotation goes. */
export interface Verdict {
  reference: unknown
  sealed?: string
  violations?: Violation[]
  warning?: string
}

/** Keeps the password in force, or replaces it by the one that the request gives. */
export const judge = async (about: AccountCase, inputs: PasswordInputs): Promise<Verdict> => {
  const { account, spec } = about
  const password = spec[accountFields[account].password]
  const kept = keep(about)
  if (password === undefined) return kept
  const violations = passwordRefusals(about, password)
  if (violations.length > 0 || typeof password !== 'string') return { ...kept, violations }
  const bytes = Buffer.from(password, 'utf8')
  try {
    return await replace(about, kept, bytes, inputs)
  } finally {
    bytes.fill(0)
  }
}

/** What is stored when no password is given: what is in force stays, also where `kubectl replace` left it out. */
const keep = (about: AccountCase): Verdict => {
  const { account, resourceName, spec, oldSpec, inForce } = about
  if (inForce) {
    const violations = pastNative(about, inForce)
    return { reference: referenceTo(inForce.secretName), sealed: inForce.text, violations }
  }
  const reference = spec[accountFields[account].reference] ?? oldSpec[accountFields[account].reference]
  if (reference !== undefined || account !== 'root' || resourceName === '') return { reference }
  return { reference: referenceTo(names.generatedRoot(resourceName)) }
}

/** The same password again changes nothing; another one is hashed, sealed, and gets a Secret of a new name. */
const replace = async (
  about: AccountCase,
  kept: Verdict,
  password: Buffer,
  { key, hasher, randomSuffix }: PasswordInputs,
): Promise<Verdict> => {
  const { account, identity, plugin } = about
  const fresh = tagOf(about, password, key)
  const warning = adviceOn(account)
  if (isInForce(about, fresh)) return { ...kept, warning }
  const credential = await hasher.hash(password, plugin)
  const secretName = names.credential(identity.name, account, randomSuffix())
  const sealed = seal(key, identity, { tag: fresh, credential, secretName })
  return { reference: referenceTo(secretName), sealed, warning }
}

const adviceOn = (account: Account) => {
  const { password, reference } = accountFields[account]
  return `spec.${password} is hashed and removed; prefer spec.${reference}, since this file and the audit log have seen the password`
}
