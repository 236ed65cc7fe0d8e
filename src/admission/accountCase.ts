import { timingSafeEqual } from 'node:crypto'
import { accountFields } from '../api/accountFields.ts'
import { needsNativePassword } from '../api/image.ts'
import type { Account } from '../api/names.ts'
import { specSchema } from '../api/schema.ts'
import type { AuthPlugin } from '../passwords/credential.ts'
import { type SealIdentity, tag } from '../passwords/seal.ts'
import { nameOf, type Sealed, sealedIn } from './accountFields.ts'
import { isRecord } from './record.ts'
import type { UncheckedObject } from './review.ts'

/** Everything about one account in one request. */
export interface AccountCase {
  account: Account
  identity: SealIdentity
  plugin: AuthPlugin
  /** Empty for a resource that is to get a name from generateName. */
  resourceName: string
  spec: Record<string, unknown>
  oldSpec: Record<string, unknown>
  /** The sealed password that the reference in force names. */
  inForce: Sealed | undefined
}

/** The case of one account; `key` is the operator key. */
export const caseOf = (
  account: Account,
  namespace: string,
  object: UncheckedObject,
  oldObject: UncheckedObject | undefined,
  key: Buffer,
): AccountCase => {
  const spec = isRecord(object.spec) ? object.spec : {}
  const oldSpec = isRecord(oldObject?.spec) ? oldObject.spec : {}
  const { name } = object.metadata
  const { reference } = accountFields[account]
  const inForce = nameOf(spec[reference] ?? oldSpec[reference])
  const seals = [oldObject, object].map((each) => each && sealedIn(key, namespace, each, account))
  const image = typeof spec.image === 'string' ? spec.image : specSchema.properties.image.default
  return {
    account,
    identity: { namespace, name: String(name ?? ''), account },
    plugin: needsNativePassword(image) ? 'mysql_native_password' : 'caching_sha2_password',
    resourceName: typeof name === 'string' ? name : '',
    spec,
    oldSpec,
    // A seal that the reference does not name is one of an earlier password, or somebody else's: it says nothing.
    inForce: seals.find((sealed) => sealed?.secretName === inForce),
  }
}

/** By which the password is known again. */
export const tagOf = ({ identity, plugin }: AccountCase, password: Buffer, key: Buffer): string =>
  tag(key, { ...identity, plugin }, password)

/** Whether the password of that tag is the sealed one in force. */
export const isInForce = ({ inForce }: AccountCase, fresh: string): boolean =>
  inForce !== undefined && timingSafeEqual(Buffer.from(inForce.tag), Buffer.from(fresh))
