import { type Account, defaultPasswordKey, sealedAnnotation } from '../api/names.ts'
import { open, type SealedPassword } from '../passwords/seal.ts'
import { isRecord } from './record.ts'
import type { UncheckedObject } from './review.ts'

/** A sealed annotation that opened: the operator itself has written it for this very resource. */
export interface Sealed extends SealedPassword {
  /** As it stands in the annotation. */
  text: string
}

/** The sealed password that an object carries; undefined for none, and for one that was made up or is another resource's. */
export const sealedIn = (
  key: Buffer,
  namespace: string,
  object: UncheckedObject,
  account: Account,
): Sealed | undefined => {
  const text = annotationsOf(object)[sealedAnnotation(account)]
  if (typeof text !== 'string') return undefined
  const sealed = open(key, { namespace, name: String(object.metadata.name ?? ''), account }, text)
  return sealed && { ...sealed, text }
}

/** The object's annotations, as a copy. */
export const annotationsOf = ({ metadata }: UncheckedObject): Record<string, unknown> =>
  isRecord(metadata.annotations) ? { ...metadata.annotations } : {}

/** A reference to a Secret of the operator's own making. */
export const referenceTo = (name: string) => ({ name, key: defaultPasswordKey })

/** The name in a reference, of whatever shape that is. */
export const nameOf = (reference: unknown): unknown => (isRecord(reference) ? reference.name : undefined)
