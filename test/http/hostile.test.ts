/** Whatever comes over the port: an answer that is well-formed, no memory that stays, and nothing of it in the log. */
import { Writable } from 'node:stream'
import fc from 'fast-check'
import { pino } from 'pino'
import { beforeAll, describe, expect, test } from 'vitest'
import { makeAuthority } from '../../src/admission/authority.ts'
import { issue } from '../../src/admission/certificates.ts'
import { admissionRoutes } from '../../src/admission/routes.ts'
import { validate } from '../../src/admission/validate.ts'
import { isTooComplex } from '../../src/http/json.ts'
import { createServer, type Server } from '../../src/http/server.ts'
import { applied, canary, mutator, oldManifest, review } from '../admission/fixtures.ts'
import { flaw, type Hostile, hostileReviews } from '../admission/hostile.ts'

const secret = canary()
const corpus = hostileReviews(secret)
const logged: string[] = []
let failures: unknown[] = []
let server: Server

beforeAll(async () => {
  const leaf = await issue(await makeAuthority(Date.now()), ['localhost'], Date.now())
  const sink = new Writable({
    write(chunk, _, done) {
      logged.push(String(chunk))
      done()
    },
  })
  const look = async () => ({ violations: [], warnings: [] })
  const handlers = { mutate: mutator(), validate: validate({ operatorNamespace: 'operators', look }) }
  const onFailure = (error: unknown) => failures.push(error)
  server = await createServer(
    leaf,
    [admissionRoutes({ ...handlers, onFailure })],
    pino({ level: 'trace' }, sink),
  )
  return () => server.close()
})

const post = async (path: string, body: string | Buffer, type = 'application/json') => {
  const options = { method: 'POST', url: path, payload: body, headers: { 'content-type': type } } as const
  const { statusCode, body: text } = await server.app.inject(options)
  return { code: statusCode, text }
}

/** What handlers have thrown since the last look. */
const thrown = () => {
  const found = failures
  failures = []
  return found
}

/** What the two differ in: `/validate` judges the object without having taken passwords out, and reads no annotations. */
const inValidate = ({ answer, ...hostile }: Hostile): Hostile =>
  answer === undefined || answer === 200 || answer === 422 ? hostile : { ...hostile, answer }

describe.each(['/mutate', '/validate'])('%s', (path) => {
  test.each(corpus.map((hostile) => [hostile.what, hostile] as const))('answers %s', async (_, hostile) => {
    const { code, text } = await post(path, hostile.body, hostile.type)
    expect(flaw(path === '/mutate' ? hostile : inValidate(hostile), code, text, secret)).toBeUndefined()
    // No handler throws: that would be a refusal too, but nobody would know why.
    expect(thrown()).toEqual([])
    expect(logged.join()).not.toContain(secret)
  })

  test('answers every review into which anything was put, taken out or written over', async () => {
    const stored = applied(oldManifest())
    const good = JSON.stringify(review(applied(oldManifest({ password: secret })), stored))
    const pieces = fc.oneof(
      fc.string(),
      fc.json(),
      fc.constantFrom('{', '}', '[', '"', ',', ':', 'null', '\\u0000'),
    )
    const change = fc.record({ at: fc.nat(good.length), gone: fc.nat(40), piece: pieces })
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
        const body = changes.reduce(
          (now, { at, gone, piece }) => now.slice(0, at) + piece + now.slice(at + gone),
          good,
        )
        const { code, text } = await post(path, body)
        expect([...thrown(), flaw({ what: '', body }, code, text, secret)]).toEqual([undefined])
      }),
      { numRuns: 300 },
    )
    expect(logged.join()).not.toContain(secret)
  })
})

test('what is refused for its size leaves nothing in memory', async () => {
  const large = corpus.filter(({ body }) => body.length > 1e6)
  const rounds = async (count: number) => {
    for (let i = 0; i < count; i++) for (const { body } of large) await post('/mutate', body)
    return process.memoryUsage().rss
  }
  const before = await rounds(2)
  expect((await rounds(4)) - before).toBeLessThan(128 * 1024 * 1024)
})

describe('JSON is too complex', () => {
  test('never for what is in texts, and whatever the escapes', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(isTooComplex(JSON.stringify({ a: `${'[{,'.repeat(60_000)}${text}`, [text]: '\\"' }))).toBe(
          false,
        )
      }),
    )
  })

  test('if it has more values, or is nested deeper, than the limits', () => {
    const values = (count: number) => JSON.stringify(Array.from({ length: count }, () => 0))
    expect([values(100_000), values(100_001)].map(isTooComplex)).toEqual([false, true])
    const deep = (depth: number) => `${'[{"a":'.repeat(depth / 2)}1${'}]'.repeat(depth / 2)}`
    expect([deep(100), deep(102)].map(isTooComplex)).toEqual([false, true])
    // One after the other is not within each other.
    expect(isTooComplex(`[${'[[]],'.repeat(200)}1]`)).toBe(false)
  })
})
