import type { FastifyPluginAsync } from 'fastify'
import { mayAccess } from '../kube/access.ts'
import type { Client } from '../kube/client.ts'
import { callerOf } from './tokens.ts'

export interface MetricsOptions {
  /** The text in OpenMetrics, and its content type. */
  read: () => Promise<{ text: string; contentType: string }>
  /** Asks for a token of somebody who may `get` the path /metrics. */
  protect: boolean
  client: Pick<Client, 'review'>
}

/** GET /metrics. */
export const metricsRoutes =
  ({ read, protect, client }: MetricsOptions): FastifyPluginAsync =>
  async (app) => {
    app.get('/metrics', async (request, reply) => {
      if (protect) {
        const caller = await callerOf(client, request)
        if (!caller)
          return reply.code(401).type('text/plain').send('a bearer token is needed to read metrics\n')
        if (!(await mayAccess(client, caller, { path: '/metrics', verb: 'get' }))) {
          return reply
            .code(403)
            .type('text/plain')
            .send('this account may not get the path /metrics: bind it the metrics-reader ClusterRole\n')
        }
      }
      const { text, contentType } = await read()
      return reply.type(contentType).send(text)
    })
  }
