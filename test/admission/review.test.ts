import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createBudget } from '../../src/admission/budget.ts'
import { mutate } from '../../src/admission/mutate.ts'
import { allowed, denied, respond } from '../../src/admission/review.ts'
import { admit, applied, ask, type Loose, mutator, oldManifest, passwordInputs, review } from './fixtures.ts'

const object = () => applied({ metadata: { name: 'shop' }, spec: { database: 'orders' } })

describe('the envelope', () => {
  test.each<[string, Loose]>([
    ['nothing', undefined],
    ['null', null],
    ['a text', 'x'],
    ['no request', { kind: 'AdmissionReview' }],
    ['no uid', review(object(), null, { uid: undefined })],
    ['an empty uid', review(object(), null, { uid: '' })],
    ['a uid that is a number', review(object(), null, { uid: 7 })],
    ['no operation', review(object(), null, { operation: undefined })],
    ['a CREATE without an object', review(null)],
    ['an UPDATE without the stored object', review(object(), null, { operation: 'UPDATE' })],
    ['an object without metadata', review({ kind: 'MySQL', spec: {} })],
  ])('with %s is a bad request', async (_, body) => {
    const { code, body: answer } = await ask(mutator(), body)
    expect(code).toBe(400)
    expect((answer as Loose).error).toBeTruthy()
  })

  test('carries the uid and nothing else when a request is let through', async () => {
    const body = review(object())
    const { code, answer } = await ask(async () => allowed(), body)
    expect(code).toBe(200)
    expect(answer).toEqual({ uid: body.request.uid, allowed: true })
  })

  test('carries every refusal as a cause, and all of them in one text', async () => {
    const handler = async () =>
      denied([
        { field: 'spec.a', message: 'is wrong: mend it' },
        { field: 'spec.b', message: 'is missing: add it' },
      ])
    const { answer } = await ask(handler, review(object()))
    expect(answer.status).toMatchObject({
      code: 422,
      reason: 'Invalid',
      message: 'spec.a is wrong: mend it; spec.b is missing: add it',
      details: {
        kind: 'MySQL',
        name: 'shop',
        causes: [
          { field: 'spec.a', message: 'is wrong: mend it', reason: 'FieldValueInvalid' },
          { field: 'spec.b', message: 'is missing: add it', reason: 'FieldValueInvalid' },
        ],
      },
    })
  })

  test('never carries a warning that the API server would cut off', async () => {
    const { answer } = await ask(async () => allowed(['x'.repeat(256), 'y'.repeat(257)]), review(object()))
    expect(answer.warnings).toEqual(['x'.repeat(256), `${'y'.repeat(255)}…`])
  })

  test('turns a throw into a refusal that says nothing of the body, and reports it with names only', async () => {
    const seen: unknown[] = []
    const body = review(applied(oldManifest()))
    const thrown = new Error('near otuspassword')
    const failing = async () => Promise.reject(thrown)
    const response = await respond(failing, body, (...given) => seen.push(given))
    const { response: answer } = response.body as Loose
    expect([response.code, response.result]).toEqual([200, 'error'])
    expect(answer).toMatchObject({ uid: body.request.uid, allowed: false, status: { code: 500 } })
    expect(JSON.stringify(answer)).not.toContain('otuspassword')
    expect(seen).toEqual([[thrown, { uid: body.request.uid, namespace: 'team', name: 'mysql-instance' }]])
  })

  test('names a closed set of operations to the metrics', async () => {
    expect((await ask(async () => allowed(), review(object()))).operation).toBe('CREATE')
    expect((await ask(async () => allowed(), review(object(), null, { operation: 'EVIL' }))).operation).toBe(
      'unknown',
    )
  })
})

describe('/mutate', () => {
  test.each<[string, Loose]>([
    ['a DELETE', { operation: 'DELETE', oldObject: object(), object: null }],
    ['a CONNECT', { operation: 'CONNECT' }],
    ['the status', { subResource: 'status' }],
    ['another kind', { object: { ...object(), kind: 'Pod' } }],
  ])('lets %s through untouched', async (_, changes) => {
    const { answer } = await ask(mutator(), review(object(), null, changes))
    expect(answer).toEqual({ uid: expect.any(String), allowed: true })
  })

  test('tells everything that is wrong at once, with what to do', async () => {
    const manifest = oldManifest({ password: '', storage_size: '1Mi', database: 'mysql', user: 'root' })
    const object = applied(manifest)
    object.metadata.namespace = 'operators'
    const { answer } = await ask(mutator(), review(object, null, { namespace: 'operators' }))
    expect(answer.status.details.causes.map(({ field }: Loose) => field)).toEqual([
      'metadata.namespace',
      'spec.password',
      'spec.database',
      'spec.user',
      'spec.storage_size',
    ])
    for (const { message } of answer.status.details.causes) expect(message).toMatch(/: .+/)
  })

  test('says what has the wrong shape, with what the field takes', async () => {
    const { answer } = await ask(mutator(), review(applied(oldManifest({ database: 5 }))))
    expect(answer.status.message).toMatch(/spec\.database must be string: Name of the database/)
  })

  test('judges the name that will be generated', async () => {
    const body = object()
    delete body.metadata.name
    body.metadata.generateName = `${'x'.repeat(40)}-`
    const { answer } = await ask(mutator(), review(body))
    expect(answer.status.details.causes[0].field).toBe('metadata.name')
  })

  test('stops telling whether a password is the same when it is asked too often, right or wrong', async () => {
    const handler = mutator(passwordInputs().inputs, 2)
    const stored = await admit(handler, applied(oldManifest()))
    const guess = async (password: string) => {
      const next = { ...stored, spec: { ...stored.spec, password } }
      return (await ask(handler, review(next, stored))).answer
    }
    expect((await guess('a')).allowed).toBe(true)
    expect((await guess('otuspassword')).allowed).toBe(true)
    expect((await guess('b')).allowed).toBe(true)
    expect((await guess('otuspassword')).status).toMatchObject({ code: 429, reason: 'TooManyRequests' })
    expect((await guess('c')).status.message).toMatch(/try again/)
    // What gives no password is not held up.
    expect((await ask(handler, review({ ...stored, status: {} }, stored))).answer.allowed).toBe(true)
  })

  describe('counts guesses', () => {
    /** A handler that lets two guesses through, a stored resource, and a review that tries a password on it. */
    const guessing = async () => {
      const handler = mutator(passwordInputs().inputs, 2)
      const stored = await admit(handler, applied(oldManifest()))
      const guess = (password: string) => ({ ...stored, spec: { ...stored.spec, password } })
      const codes = async (bodies: Loose[]) =>
        (await Promise.all(bodies.map((body) => ask(handler, body)))).map(
          ({ answer }) => answer.status?.code ?? 200,
        )
      return { handler, stored, guess, codes }
    }

    test('for the resource whose seal opens, and refuses a review of another name', async () => {
      const { stored, guess, codes } = await guessing()
      const named = (password: string, name: string) => review(guess(password), stored, { name })
      expect(await codes(['x', 'y', 'z'].map((name) => named(name, name)))).toEqual([422, 422, 422])
      const renamed = { ...guess('a'), metadata: { ...stored.metadata, name: 'other' } }
      expect(await codes([review(renamed, stored), review(guess('a'), renamed)])).toEqual([422, 422])
      // None of these has told anything, so none was charged. A review without a name is about its object.
      const unnamed = ['a', 'b', 'c'].map((password) => named(password, ''))
      expect(await codes(unnamed)).toEqual([200, 200, 429])
    })

    test('on a CREATE that brings a seal along, but not on one without', async () => {
      const { handler, guess, codes } = await guessing()
      const tries = ['a', 'b', 'otuspassword'].map((password) => review(guess(password)))
      expect(await codes(tries)).toEqual([200, 200, 429])
      await expect(admit(handler, applied(oldManifest()))).resolves.toBeTruthy()
    })

    test('of requests at the same time, and of both accounts', async () => {
      const { stored, guess, codes } = await guessing()
      const many = ['a', 'b', 'c', 'd', 'otuspassword'].map((password) => review(guess(password), stored))
      expect(await codes(many)).toEqual([200, 200, 429, 429, 429])
      const other = await guessing()
      const both = (password: string) => {
        const object = other.guess(password)
        return review({ ...object, spec: { ...object.spec, user_password: password } }, other.stored)
      }
      expect(await other.codes([both('a'), both('b')])).toEqual([200, 429])
    })

    test('so that nobody is kept out for long by those of others, however many there were', async () => {
      let now = 0
      const guesses = createBudget(10, 6000, () => now)
      const handler = mutate({ ...passwordInputs().inputs, operatorNamespace: 'operators', guesses })
      const stored = await admit(handler, applied(oldManifest()))
      const both = (password: string) => {
        const spec = { ...stored.spec, password, user_password: password }
        return ask(handler, review({ ...stored, spec }, stored))
      }
      for (let i = 0; i < 200; i++) await both(`wrong-${i}`)
      const { status } = (await both('right')).answer
      expect(status.details.retryAfterSeconds).toBeLessThanOrEqual(12)
      expect(status.message).toContain(`try again (${status.details.retryAfterSeconds} seconds)`)
      now += status.details.retryAfterSeconds * 1000
      expect((await both('right')).answer.allowed).toBe(true)
    })

    test('but not the password in force: the same file can be applied as often as one likes', async () => {
      const { stored, guess, codes } = await guessing()
      const same = Array.from({ length: 30 }, () => review(guess('otuspassword'), stored))
      expect(new Set(await codes(same))).toEqual(new Set([200]))
    })
  })

  test('answers every JSON value there is', async () => {
    const spoilt = (value: Loose): fc.Arbitrary<Loose> =>
      fc.constantFrom(...Object.keys(value)).chain((key) => {
        const inner = value[key]
        const deeper =
          typeof inner === 'object' && inner !== null && Object.keys(inner).length > 0 ? [spoilt(inner)] : []
        return fc.oneof(fc.jsonValue(), ...deeper).map((next) => ({ ...value, [key]: next }))
      })
    const body = review(applied(oldManifest()), applied(oldManifest()), { operation: 'UPDATE' })
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.jsonValue(), spoilt(body)), async (any) => {
        const { code, answer } = await ask(mutator(), any)
        expect([200, 400]).toContain(code)
        if (code === 200) expect(answer.uid).toBe(any.request.uid)
      }),
      { numRuns: 500 },
    )
  })
})

test('an answer stays small however much is wrong', async () => {
  for (const length of [32, 100_000]) {
    const tolerations = Array.from({ length }, () => ({ operator: 'In', effect: 5 }))
    const { body, answer } = await ask(mutator(), review(applied(oldManifest({ tolerations }))))
    expect(answer.allowed).toBe(false)
    expect(answer.status.details.causes.length).toBeLessThanOrEqual(21)
    expect(JSON.stringify(body).length).toBeLessThan(20_000)
  }
})

describe('a budget', () => {
  test('fills again with time, per key, up to its capacity', () => {
    let now = 0
    const budget = createBudget(2, 1000, () => now)
    budget.spend('a', 2)
    expect([budget.waitSeconds('a'), budget.waitSeconds('b')]).toEqual([1, 0])
    now = 999
    expect(budget.waitSeconds('a')).toBe(1)
    now = 1000
    expect(budget.waitSeconds('a')).toBe(0)
    now = 1_000_000
    budget.spend('a', 2)
    expect(budget.waitSeconds('a')).toBe(1)
  })

  test('is not forgotten for others, who wait instead when there are too many', () => {
    let now = 0
    const budget = createBudget(2, 1000, () => now)
    for (let i = 0; i <= 10_000; i++) budget.spend(`key ${i}`, 2)
    expect([budget.waitSeconds('key 0'), budget.waitSeconds('another')]).toEqual([1, 1])
    now = 2000
    budget.spend('key 0', 1)
    expect(budget.waitSeconds('another')).toBe(0)
  })

  test('forgives no debt', () => {
    let now = 0
    const budget = createBudget(2, 1000, () => now)
    budget.spend('a', 5)
    expect(budget.waitSeconds('a')).toBe(4)
    now = 3999
    expect(budget.waitSeconds('a')).toBe(1)
    now = 4000
    expect(budget.waitSeconds('a')).toBe(0)
  })
})
