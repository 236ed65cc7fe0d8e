import type { FastifyPluginAsync, FastifyReply } from 'fastify'

/** One thing that must be true; answers what is wrong, or undefined. */
export type Check = () => string | undefined

export interface Checks {
  /** Whether the process still works; a restart would help if not. */
  live: Record<string, Check>
  /** Whether it can answer reviews. */
  ready: Record<string, Check>
  /** More about a check of that name that is fine, for people. */
  notes?: Record<string, () => string>
}

type Notes = NonNullable<Checks['notes']>

const passed = (name: string, notes: Notes) => [`[+]${name} ok`, notes[name]?.()].filter(Boolean).join(': ')

const answer = (reply: FastifyReply, checks: Record<string, Check>, notes: Notes, verbose: boolean) => {
  const results = Object.entries(checks).map(([name, check]) => ({ name, problem: check() }))
  const failed = results.filter(({ problem }) => problem !== undefined)
  const lines = results.map(({ name, problem }) =>
    problem === undefined ? passed(name, notes) : `[-]${name} ${problem}`,
  )
  const text = failed.length === 0 ? 'ok' : `failed: ${failed.map(({ name }) => name).join(', ')}`
  return reply
    .code(failed.length === 0 ? 200 : 503)
    .type('text/plain; charset=utf-8')
    .header('cache-control', 'no-store')
    .send(verbose || failed.length > 0 ? `${[...lines, text].join('\n')}\n` : `${text}\n`)
}

/** GET /livez, /readyz, and /healthz, which is both; `?verbose` lists the checks, as the API server's do. */
export const healthRoutes =
  ({ live, ready, notes = {} }: Checks): FastifyPluginAsync =>
  async (app) => {
    const paths = { '/livez': live, '/readyz': ready, '/healthz': { ...live, ...ready } }
    for (const [path, checks] of Object.entries(paths)) {
      app.get<{ Querystring: { verbose?: string } }>(path, (request, reply) =>
        answer(reply, checks, notes, request.query.verbose !== undefined),
      )
    }
  }
