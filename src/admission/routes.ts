import type { Socket } from 'node:net'
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { type Handler, type OnFailure, type Response, respond } from './review.ts'

/** One answered review, for metrics. */
export interface ReviewSeen {
  handler: 'mutate' | 'validate'
  operation: string
  result: Response['result']
  seconds: number
}

export interface AdmissionOptions {
  mutate: Handler
  validate: Handler
  /** Why this connection may send no reviews; undefined if it may. */
  refusal?: (socket: Socket) => string | undefined
  onReview?: (seen: ReviewSeen) => void
  onFailure: OnFailure
}

/**
 * POST /mutate and /validate. No schema on body or answer: Fastify's validator would coerce, default and strip, and the
 * patch would be computed from another object.
 */
export const admissionRoutes =
  ({ mutate, validate, refusal, onReview, onFailure }: AdmissionOptions): FastifyPluginAsync =>
  async (app) => {
    const handlers = { mutate, validate }
    for (const handler of ['mutate', 'validate'] as const) {
      // Before anything of the body is read. The API server repeats the text to whoever applied something.
      const onRequest = async (request: FastifyRequest, reply: FastifyReply) => {
        const problem = refusal?.(request.socket)
        if (problem === undefined) return
        onReview?.({ handler, operation: 'unknown', result: 'error', seconds: 0 })
        return reply.code(403).type('text/plain').send(problem)
      }
      app.post(`/${handler}`, { onRequest }, async (request, reply) => {
        const start = performance.now()
        const { code, body, operation, result } = await respond(handlers[handler], request.body, onFailure)
        onReview?.({ handler, operation, result, seconds: (performance.now() - start) / 1000 })
        return reply.code(code).send(body)
      })
    }
  }
