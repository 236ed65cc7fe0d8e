import type { Client } from './client.ts'
import { SubjectAccessReview, TokenReview } from './kinds.ts'
import type { CallOptions } from './list.ts'

/** Somebody whom the API server has authenticated. */
export interface User {
  username?: string
  uid?: string
  groups?: string[]
  extra?: Record<string, string[]>
}

/** What somebody wants to do: to an object, to every object where no name is given, or to a path of the HTTPS server. */
export type Access =
  | {
      resource: { group?: string; resource: string; verb: string; namespace?: string; name?: string }
    }
  | { path: string; verb: string }

/** Whether the API server would let `user` do it. Throws where it gives no answer. */
export const mayAccess = async (
  client: Pick<Client, 'review'>,
  { username, uid, groups, extra }: User,
  access: Access,
  options?: CallOptions,
): Promise<boolean> => {
  const review = await client.review(
    SubjectAccessReview,
    {
      ...(username === undefined ? {} : { user: username }),
      ...(uid === undefined ? {} : { uid }),
      ...(groups === undefined ? {} : { groups }),
      ...(extra === undefined ? {} : { extra }),
      ...('path' in access
        ? { nonResourceAttributes: { path: access.path, verb: access.verb } }
        : { resourceAttributes: access.resource }),
    },
    options,
  )
  return review.status?.allowed === true && review.status.denied !== true
}

/** Whose bearer token it is; undefined if it is nobody's. Throws where the API server gives no answer. */
export const whoseToken = async (
  client: Pick<Client, 'review'>,
  token: string,
  options?: CallOptions,
): Promise<User | undefined> => {
  const { status } = await client.review(TokenReview, { token }, options)
  return status?.authenticated === true ? (status.user ?? {}) : undefined
}
