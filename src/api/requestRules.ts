/**
 * Refusals that are not about the stored resource alone: about the request, its author, or the cluster. The webhook takes
 * its words from here, and so does the documentation; what a policy of the chart refuses has its words there.
 */
import type { AccountFields } from './accountFields.ts'
import { type Account, apiVersion } from './names.ts'
import type { Refusal } from './rule.ts'

/** Bytes of all annotations together; the API server stores no more, but looks only after the webhook. */
export const largestAnnotations = 256 * 1024

export const requestRules = {
  operatorsNamespace: {
    refusal: 'is the namespace of the operator itself, which could then not be removed',
    remedy: 'use a namespace of its own',
  },
  renamed: {
    refusal: 'is not the one that the request is about, and a resource cannot be renamed or moved',
    remedy: 'leave it as it is',
  },
  otherVersion: {
    refusal: `is not ${apiVersion}, which is all that the webhooks of the operator know`,
    remedy: 'use their configuration from the chart of the operator',
  },
  tooLarge: {
    refusal: `are larger than ${largestAnnotations / 1024} KiB together, which the API server does not store`,
    remedy: 'remove or shorten some',
  },
  noText: { refusal: 'is not a text', remedy: 'put it in quotes, or leave the field out' },
  notReadable: {
    refusal: 'names a Secret that you may not read, if it exists',
    remedy: 'ask for the right to `get` it, or name another one',
  },
  rightUnknown: {
    refusal:
      'could not be checked, because the API server did not say in time whether you may read that Secret',
    remedy: 'try again',
  },
  operatorsSecret: {
    refusal: 'names a Secret that the operator made for itself',
    remedy: 'give the password in a Secret of your own',
  },
  noSuchClass: {
    refusal: 'names a StorageClass that does not exist',
    remedy: 'use one that `kubectl get storageclass` lists, or leave the field out for the default one',
  },
  tooOften: {
    refusal: 'of this resource was changed too often within a minute',
    remedy: 'wait some seconds, as kubectl does by itself, and try again',
  },
} as const satisfies Record<string, Refusal>

export const unnamed = ({ reference }: AccountFields): Refusal => ({
  refusal: 'cannot be hashed for a name that is yet to be generated',
  remedy: `give metadata.name, or use ${reference}`,
})

/** Nobody could say which one is meant. */
export const bothGiven = ({ password }: AccountFields): Refusal => ({
  refusal: `is set together with spec.${password}, and only one of them can be the password`,
  remedy: 'remove one of the two',
})

/** A hash in the old form cannot come along to a server that no longer loads that plugin. */
export const pastNativeRefusal = (account: Account, { password }: AccountFields): Refusal => ({
  refusal: `is of a series without mysql_native_password, in which the password of ${account} was hashed for the old image`,
  remedy: `go to 8.0 first and give spec.${password} again there`,
})

/** kubectl keeps one copy in an annotation, and so does each other tool. Every copy costs a rebuilding of the whole object. */
export const mostCopies = 20
export const tooManyCopies = (copies: number | string): Refusal => ({
  refusal: `hold ${copies} copies of a manifest of a MySQL, and at most ${mostCopies} are kept free of passwords`,
  remedy: 'remove those that no tool needs',
})
