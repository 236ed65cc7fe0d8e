import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { lastApplied } from '../../src/admission/lastApplied.ts'
import {
  admit,
  applied,
  ask,
  canary,
  disguises,
  type Loose,
  mutator,
  oldManifest,
  review,
} from './fixtures.ts'

describe('no password is left over', () => {
  const leaks = (password: string, ...where: unknown[]) =>
    disguises(password).filter((form) => where.some((each) => JSON.stringify(each).includes(form)))

  test('in patch, object, warnings or refusals, wherever the file had it', async () => {
    const texts = fc.string({ minLength: 8, maxLength: 60, unit: 'grapheme' })
    const plain = fc.string({ maxLength: 5, unit: fc.constantFrom('a', 'Z', '3', '-', '_') })
    await fc.assert(
      fc.asyncProperty(texts, plain, fc.boolean(), fc.boolean(), async (text, field, wrong, kapp) => {
        const password = `${canary()}${text}`
        const object = applied(
          oldManifest({ password, user_password: password, ...(wrong ? { database: '-' } : {}) }),
        )
        // Unknown fields are pruned from the object, but not from what kubectl wrote down.
        const copy = JSON.parse(object.metadata.annotations[lastApplied])
        copy.spec[`x${field}`] = password
        copy.spec.restore = { from: 'latest', [`y${field}`]: password }
        copy[`z${field}`] = { password }
        copy.metadata.annotations = { [`n${field}`]: password }
        copy.status = { message: password }
        copy.spec.image = password
        copy.spec.restore.from = password
        object.metadata.annotations[lastApplied] = JSON.stringify(copy)
        if (kapp) object.metadata.annotations['kapp.k14s.io/original'] = JSON.stringify(copy)
        const handler = mutator()
        const { answer, patch } = await ask(handler, review(object))
        expect(leaks(password, answer, patch)).toEqual([])
        expect(answer.allowed).toBe(!wrong)
        if (!wrong) expect(leaks(password, await admit(handler, object))).toEqual([])
      }),
      { numRuns: 60 },
    )
  })

  test.each([
    ['no JSON', (password: string) => `{"spec":{"password":"${password}"`],
    ['a duplicate key', (password: string) => `{"spec":{"password":"${password}"},"spec":{"database":"a"}}`],
    ['a plain text', (password: string) => password],
    ['a list', (password: string) => JSON.stringify([password])],
    ['a prototype', (password: string) => `{"__proto__":{"spec":{"password":"${password}"}}}`],
    [
      'a copy in a copy',
      (password: string) => JSON.stringify({ metadata: { annotations: { [lastApplied]: password } } }),
    ],
  ])('in an annotation that is %s', async (_, make) => {
    const password = canary()
    const object = applied(oldManifest({ password }))
    object.metadata.annotations[lastApplied] = make(password)
    const stored = await admit(mutator(), object)
    expect(leaks(password, stored)).toEqual([])
    expect(({} as Loose).spec).toBeUndefined()
  })

  test('and what else the file said is still in the annotation', async () => {
    const stored = await admit(mutator(), applied(oldManifest()))
    const { password, user_password, ...spec } = oldManifest().spec
    expect(JSON.parse(stored.metadata.annotations[lastApplied])).toEqual({
      apiVersion: 'otus.homework/v1',
      kind: 'MySQL',
      metadata: { annotations: {}, name: 'mysql-instance', namespace: 'team' },
      spec,
    })
  })

  const copiesOf = (password: string, count: number) => {
    const object = applied(oldManifest())
    for (let i = 1; i < count; i++)
      object.metadata.annotations[`tool-${i}`] = JSON.stringify({ kind: 'MySQL', spec: { x: password } })
    return object
  }

  test('and no copy is made larger than annotations may be by what the object itself has', async () => {
    const object = applied(oldManifest())
    object.metadata.labels = { a: 'x'.repeat(200_000) }
    for (const tool of ['one', 'two', 'three'])
      object.metadata.annotations[tool] = JSON.stringify({ kind: 'MySQL', metadata: { labels: { a: 1 } } })
    const { answer } = await ask(mutator(), review(object))
    expect(answer.allowed).toBe(false)
    expect(answer.patch).toBeUndefined()
    expect(answer.status.details.causes[0]).toMatchObject({ field: 'metadata.annotations' })
    delete object.metadata.annotations.two
    delete object.metadata.annotations.three
    expect((await ask(mutator(), review(object))).answer.allowed).toBe(true)
  })

  test('in any of twenty copies; more of them are refused, and not rebuilt one by one', async () => {
    const password = canary()
    const stored = await admit(mutator(), copiesOf(password, 20))
    expect(JSON.parse(stored.metadata.annotations['tool-19'])).toEqual({ kind: 'MySQL', spec: {} })
    expect(leaks(password, stored)).toEqual([])
    const parse = vi.spyOn(JSON, 'parse')
    const { answer } = await ask(mutator(), review(copiesOf(password, 300)))
    const parses = parse.mock.calls.length
    parse.mockRestore()
    expect(parses).toBeLessThanOrEqual(310)
    expect(answer.status.details.causes[0]).toMatchObject({ field: 'metadata.annotations' })
    expect(answer.status.message).toMatch(/300 copies.*at most 20.*: remove/)
    expect(leaks(password, answer)).toEqual([])
  })
})
