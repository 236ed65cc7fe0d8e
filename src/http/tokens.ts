import type { FastifyRequest } from 'fastify'
import { type User, whoseToken } from '../kube/access.ts'
import type { Client } from '../kube/client.ts'

/** The bearer of the request's token; undefined if there is none or the API server does not accept it. */
export const callerOf = async (
  client: Pick<Client, 'review'>,
  request: FastifyRequest,
): Promise<User | undefined> => {
  const token = /^Bearer ([\w.~+/=-]{1,16384})$/i.exec(request.headers.authorization ?? '')?.[1]
  return token === undefined ? undefined : whoseToken(client, token, { timeoutMs: 5_000 })
}
