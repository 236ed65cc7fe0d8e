import type { FastifyPluginAsync } from 'fastify'
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
  onReview?: (seen: ReviewSeen) => void
  onFailure: OnFailure
}

/**
 * POST /mutate and /validate. No schema on body or answer: Fastify's validator would coerce, default and strip, and the
 * patch would be computed from another object.
 */
export const admissionRoutes =
  ({ mutate, validate, onReview, onFailure }: AdmissionOptions): FastifyPluginAsync =>
  async (app) => {
    const handlers = { mutate, validate }
    for (const handler of ['mutate', 'validate'] as const) {
      app.post(`/${handler}`, async (request, reply) => {
        const start = performance.now()
        const { code, body, operation, result } = await respond(handlers[handler], request.body, onFailure)
        onReview?.({ handler, operation, result, seconds: (performance.now() - start) / 1000 })
        return reply.code(code).send(body)
      })
    }
  }
