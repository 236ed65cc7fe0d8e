/** The Secrets that a new or changed reference names, as far as the writer of the MySQL may read them. */
import { isDeepStrictEqual } from 'node:util'
import { accountFields } from '../../api/accountFields.ts'
import { type Account, defaultPasswordKey, names, secretTypes } from '../../api/names.ts'
import { requestRules } from '../../api/requestRules.ts'
import { Secret } from '../../kube/kinds.ts'
import { passwordBytesProblem } from '../../passwords/policy.ts'
import { sealedIn } from '../accountFields.ts'
import { lastApplied } from '../lastApplied.ts'
import { isRecord } from '../record.ts'
import type { UncheckedObject } from '../review.ts'
import { answered, type Inquiry, nothing, refusal, type Seen, warning, writerMay } from './inquiry.ts'

/** `key` is the operator key: it tells which references are of the operator's own making. */
export const lookAtReference = async (inquiry: Inquiry, account: Account, key: Buffer): Promise<Seen> => {
  const { client, request, now, was, signal } = inquiry
  const { reference } = accountFields[account]
  const given = now.spec[reference]
  if (!given || isDeepStrictEqual(given, was?.spec[reference])) return nothing
  if (isOperatorMade(inquiry, account, given.name, key)) return nothing
  const field = `spec.${reference}`
  const permission = await writerMay(inquiry, 'get', Secret, given.name)
  // The one answer that is no look-up: that nobody gave it is no permission.
  if (!permission.inTime) return refusal(field, requestRules.rightUnknown)
  if (!permission.value) return refusal(field, requestRules.notReadable)
  const { namespace } = request
  const secret = await answered(signal, () => client.get(Secret, { namespace, name: given.name }, { signal }))
  if (secret.inTime) return judgeSecret(field, secret.value, given.key ?? defaultPasswordKey)
  return warning(`${field} could not be looked up; the database waits until its Secret is there`)
}

/**
 * A Secret that the operator makes itself is nobody's to read. For the name of a generated password this holds because the
 * reconciler takes a Secret of that name only if it is of the operator's own type.
 */
const isOperatorMade = ({ request, now }: Inquiry, account: Account, name: string, key: Buffer) =>
  (account === 'root' && name === names.generatedRoot(now.metadata.name)) ||
  sealedIn(key, request.namespace, now as unknown as UncheckedObject, account)?.secretName === name

const ownTypes: ReadonlySet<string | undefined> = new Set(Object.values(secretTypes))

const judgeSecret = (field: string, secret: Secret | undefined, key: string): Seen => {
  if (!secret) return warning(`${field} names a Secret that does not exist; the database waits until it does`)
  if (ownTypes.has(secret.type)) return refusal(field, requestRules.operatorsSecret)
  const value = secret.data?.[key]
  if (value === undefined)
    return warning(`${field} names a key that its Secret does not have; the database waits until it does`)
  return { violations: [], warnings: [...valueWarnings(field, value), ...copyWarnings(field, secret, key)] }
}

const valueWarnings = (field: string, encoded: string): string[] => {
  const bytes = Buffer.from(encoded, 'base64')
  const problem = passwordBytesProblem(bytes)?.replace(/^the password /, '')
  const ends = bytes.at(-1) === 10
  bytes.fill(0)
  if (problem !== undefined) return [`${field}: the password in that Secret ${problem}`]
  return ends ? [`${field}: the password in that Secret ends in a line break, which is part of it`] : []
}

/** `kubectl apply` of a Secret leaves a copy of its data in an annotation, which more people may see. */
const copyWarnings = (field: string, secret: Secret, key: string): string[] => {
  const text = secret.metadata.annotations?.[lastApplied]
  return text !== undefined && holdsKey(text, key)
    ? [
        `${field}: that Secret carries its password in the annotation last-applied-configuration too; make it with kubectl create or apply --server-side`,
      ]
    : []
}

const holdsKey = (text: string, key: string): boolean => {
  try {
    const copy: unknown = JSON.parse(text)
    return (
      isRecord(copy) &&
      [copy.data, copy.stringData].some((part) => isRecord(part) && Object.hasOwn(part, key))
    )
  } catch {
    // Not what kubectl writes, so there is nothing to warn of.
    return false
  }
}
