/** Takes inline passwords out of a MySQL resource before it is stored; pure but for the hashing. */
import { timingSafeEqual } from 'node:crypto'
import { isOlder, needsNativePassword, versionOf } from '../api/image.ts'
import { type Account, accounts, names, sealedAnnotation } from '../api/names.ts'
import type { Violation } from '../api/rule.ts'
import { specSchema } from '../api/schema.ts'
import type { AuthPlugin } from '../passwords/credential.ts'
import type { Hasher } from '../passwords/hasher.ts'
import { passwordProblem } from '../passwords/policy.ts'
import { type SealIdentity, seal, tag } from '../passwords/seal.ts'
import { accountFields, annotationsOf, nameOf, referenceTo, type Sealed, sealedIn } from './accountFields.ts'
import { scrubbed } from './lastApplied.ts'
import { withoutFields, withTimesOf } from './managedFields.ts'
import { isRecord } from './record.ts'
import type { UncheckedObject } from './review.ts'

/** What hashing and sealing need; nothing of it is kept. */
export interface PasswordInputs {
  /** The operator key. */
  key: Buffer
  hasher: Pick<Hasher, 'hash'>
  /** Lower-case letters and digits that never come twice: the tail of a Secret's name. */
  randomSuffix: () => string
}

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

/** Everything about one account in one request. */
interface Case {
  account: Account
  identity: SealIdentity
  plugin: AuthPlugin
  spec: Record<string, unknown>
  oldSpec: Record<string, unknown>
  /** The sealed password that the reference in force names. */
  inForce: Sealed | undefined
}

/** What becomes of one account. Without a seal the annotation goes. */
interface Verdict {
  reference: unknown
  sealed?: string
  violations?: Violation[]
  warning?: string
}

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
    const verdict = await judge(caseOf(account, namespace, object, oldObject, inputs.key), object, inputs)
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

const tagOf = ({ identity, plugin }: Case, password: Buffer, key: Buffer) =>
  tag(key, { ...identity, plugin }, password)

const isInForce = ({ inForce }: Case, fresh: string) =>
  inForce !== undefined && timingSafeEqual(Buffer.from(inForce.tag), Buffer.from(fresh))

const caseOf = (
  account: Account,
  namespace: string,
  object: UncheckedObject,
  oldObject: UncheckedObject | undefined,
  key: Buffer,
): Case => {
  const spec = isRecord(object.spec) ? object.spec : {}
  const oldSpec = isRecord(oldObject?.spec) ? oldObject.spec : {}
  const identity = { namespace, name: String(object.metadata.name ?? ''), account }
  const { reference } = accountFields[account]
  const inForce = nameOf(spec[reference] ?? oldSpec[reference])
  const seals = [oldObject, object].map((each) => each && sealedIn(key, namespace, each, account))
  const image = typeof spec.image === 'string' ? spec.image : specSchema.properties.image.default
  return {
    account,
    identity,
    plugin: needsNativePassword(image) ? 'mysql_native_password' : 'caching_sha2_password',
    spec,
    oldSpec,
    // A seal that the reference does not name is one of an earlier password, or somebody else's: it says nothing.
    inForce: seals.find((sealed) => sealed?.secretName === inForce),
  }
}

const judge = async (about: Case, object: UncheckedObject, inputs: PasswordInputs): Promise<Verdict> => {
  const { account, spec } = about
  const password = spec[accountFields[account].password]
  const kept = keep(about, object)
  if (password === undefined) return kept
  const problems = [...problemsOf(about, password, object), ...conflictsOf(about)]
  if (problems.length > 0 || typeof password !== 'string') return { ...kept, violations: problems }
  const bytes = Buffer.from(password, 'utf8')
  try {
    return await replace(about, kept, bytes, inputs)
  } finally {
    bytes.fill(0)
  }
}

/** What is stored when no password is given: what is in force stays, also where `kubectl replace` left it out. */
const keep = (about: Case, object: UncheckedObject): Verdict => {
  const { account, spec, oldSpec, inForce } = about
  if (inForce) {
    const violations = pastNative(about, inForce)
    return { reference: referenceTo(inForce.secretName), sealed: inForce.text, violations }
  }
  const reference = spec[accountFields[account].reference] ?? oldSpec[accountFields[account].reference]
  const { name } = object.metadata
  if (reference !== undefined || account !== 'root' || typeof name !== 'string') return { reference }
  return { reference: referenceTo(names.generatedRoot(name)) }
}

/** The same password again changes nothing; another one is hashed, sealed, and gets a Secret of a new name. */
const replace = async (
  about: Case,
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

const problemsOf = ({ account }: Case, password: unknown, object: UncheckedObject): Violation[] => {
  const { password: inline, reference } = accountFields[account]
  const field = `spec.${inline}`
  if (typeof password !== 'string')
    return [{ field, message: 'is not a text: put it in quotes, or leave the field out' }]
  const problem = passwordProblem(password)?.replace(/^the password /, '')
  const unnamed =
    typeof object.metadata.name === 'string' && object.metadata.name !== ''
      ? undefined
      : `cannot be hashed for a name that is yet to be generated: give metadata.name, or use ${reference}`
  return [problem, unnamed].flatMap((message) => (message === undefined ? [] : [{ field, message }]))
}

/** A password beside the user's own reference: nobody could say which one is meant. */
const conflictsOf = ({ account, identity, spec, oldSpec, inForce }: Case): Violation[] => {
  const { password, reference } = accountFields[account]
  if (spec[reference] === undefined || inForce) return []
  const generated = names.generatedRoot(identity.name)
  const given = nameOf(spec[reference])
  if (account === 'root' && given === generated && nameOf(oldSpec[reference]) === generated) return []
  return [
    {
      field: `spec.${reference}`,
      message: `is set together with spec.${password}, and only one of them can be the password: remove one of the two`,
    },
  ]
}

/** A hash in the old form cannot come along to a server that no longer loads that plugin. */
const pastNative = ({ account, spec, oldSpec }: Case, inForce: Sealed): Violation[] => {
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

const adviceOn = (account: Account) => {
  const { password, reference } = accountFields[account]
  return `spec.${password} is hashed and removed; prefer spec.${reference}, since this file and the audit log have seen the password`
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
