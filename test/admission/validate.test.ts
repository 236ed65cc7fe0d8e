import { describe, expect, test } from 'vitest'
import { lastApplied } from '../../src/admission/lastApplied.ts'
import { createLook } from '../../src/admission/lookups.ts'
import { validate } from '../../src/admission/validate.ts'
import { ApiError } from '../../src/kube/errors.ts'
import {
  admit,
  applied,
  ask,
  defaulted,
  type Loose,
  mutator,
  oldManifest,
  passwordInputs,
  review,
} from './fixtures.ts'

type Found = Record<string, Loose>

/** A cluster with these objects, by kind and name, that lets jane read Secrets of the names in `readable`. */
const cluster = (objects: Found = {}, readable: string[] = []) => {
  const asked: Loose[] = []
  const looked: string[] = []
  const client: Loose = {
    get: async ({ kind }: Loose, { name }: Loose) => {
      looked.push(`${kind} ${name}`)
      const found = objects[`${kind} ${name}`]
      if (found instanceof Error) throw found
      return found
    },
    list: async () => {
      throw new Error('not here: see looks.test.ts')
    },
    review: async (_: Loose, spec: Loose) => {
      // Questions about all objects of a kind are asked for what is looked at besides.
      if (spec.resourceAttributes.name !== undefined) asked.push(spec)
      return { status: { allowed: readable.includes(spec.resourceAttributes.name) } }
    },
  }
  return { client, asked, looked }
}

const hanging: Loose = { get: () => new Promise(() => {}), review: () => new Promise(() => {}) }

const { inputs } = passwordInputs()
const validator = (client: Loose) =>
  validate({ operatorNamespace: 'operators', look: createLook({ client, key: inputs.key, limitMs: 30 }) })

const stored = (spec: Loose = {}): Loose => ({
  apiVersion: 'otus.homework/v1',
  kind: 'MySQL',
  metadata: { name: 'shop', namespace: 'team', annotations: {} },
  spec: defaulted({
    database: 'orders',
    passwordSecretRef: { name: 'shop-root', key: 'password' },
    resources: { limits: { memory: '1Gi' } },
    backup: { schedule: '30 2 * * *' },
    ...spec,
  }),
})
const mine = { passwordSecretRef: { name: 'mine', key: 'password' } }
const secret = (changes: Loose = {}): Loose => ({
  kind: 'Secret',
  type: 'Opaque',
  metadata: { name: 'mine' },
  data: { password: Buffer.from('fine').toString('base64') },
  ...changes,
})
const verdict = async (client: Loose, spec: Loose, old: Loose = null) => {
  const { answer } = await ask(validator(client), review(stored(spec), old))
  return { answer, causes: answer.status?.details.causes ?? [], warnings: answer.warnings ?? [] }
}

describe('/validate', () => {
  test('lets a good resource through without a word and without asking anybody', async () => {
    const { client, asked, looked } = cluster()
    expect((await verdict(client, {})).answer).toEqual({ uid: expect.any(String), allowed: true })
    expect([...asked, ...looked]).toEqual([])
  })

  test('warns where something is allowed and still unwise', async () => {
    const { warnings } = await verdict(cluster().client, { image: 'mysql', deletionPolicy: 'Delete' })
    expect(warnings).toHaveLength(2)
  })

  test('refuses what breaks a rule, even if /mutate was not asked', async () => {
    const { causes } = await verdict(cluster().client, { password: 'in clear' })
    expect(causes).toEqual([expect.objectContaining({ field: 'spec.password' })])
  })

  test('does not look up what has the wrong shape', async () => {
    const { client, looked } = cluster()
    const { answer } = await verdict(client, { storageClassName: 7 })
    expect(answer.allowed).toBe(false)
    expect(looked).toEqual([])
  })

  test('refuses a resource in the namespace of the operator', async () => {
    const { answer } = await ask(
      validator(cluster().client),
      review(stored(), null, { namespace: 'operators' }),
    )
    expect(answer.status.details.causes[0].field).toBe('metadata.namespace')
  })

  test('says nothing about updates that leave the spec alone', async () => {
    const invalid = stored({ storage_size: '1', image: 'mysql', ...mine })
    const labelled = { ...invalid, metadata: { ...invalid.metadata, labels: { a: 'b' } } }
    const { answer } = await ask(validator(hanging), review(labelled, invalid))
    expect(answer).toEqual({ uid: expect.any(String), allowed: true })
  })
})

describe('a StorageClass', () => {
  const spec = { storageClassName: 'fast' }

  test('that exists is fine', async () => {
    expect((await verdict(cluster({ 'StorageClass fast': {} }).client, spec)).answer.allowed).toBe(true)
  })

  test('that does not exist is refused with what to do', async () => {
    const { causes } = await verdict(cluster().client, spec)
    expect(causes).toEqual([
      expect.objectContaining({
        field: 'spec.storageClassName',
        message: expect.stringContaining('kubectl get storageclass'),
      }),
    ])
  })

  test.each<[string, Loose]>([
    ['fails', cluster({ 'StorageClass fast': new ApiError(403, 'Forbidden', 'no') }).client],
    ['hangs', hanging],
  ])('is only warned of when looking it up %s', async (_, client) => {
    const { answer, warnings } = await verdict(client, spec)
    expect(answer.allowed).toBe(true)
    expect(warnings.join()).toContain('spec.storageClassName could not be looked up')
  })

  test('is not looked up again by an update', async () => {
    const { client, looked } = cluster()
    await verdict(client, { ...spec, storage_size: '1024Mi' }, stored(spec))
    expect(looked).toEqual([])
  })
})

describe('a reference to a Secret of the user', () => {
  test('is asked about in the name of whoever writes the resource', async () => {
    const { client, asked } = cluster({}, ['mine'])
    await verdict(client, mine)
    expect(asked).toEqual([
      {
        user: 'jane',
        uid: '42',
        groups: ['dev', 'system:authenticated'],
        extra: { scope: ['x'] },
        resourceAttributes: { resource: 'secrets', verb: 'get', namespace: 'team', name: 'mine' },
      },
    ])
  })

  test('is refused without the right to read it, in the same words whether or not it exists, and unseen', async () => {
    const [there, absent] = [cluster({ 'Secret mine': secret() }), cluster()]
    const first = await verdict(there.client, mine)
    const second = await verdict(absent.client, mine)
    expect(first.answer.status).toEqual(second.answer.status)
    expect(first.causes[0].field).toBe('spec.passwordSecretRef')
    expect([...there.looked, ...absent.looked]).toEqual([])
  })

  test('is refused when nobody says whether it may be read', async () => {
    const { causes } = await verdict(hanging, mine)
    expect(causes[0].message).toContain('try again')
  })

  test.each<[string, Loose, RegExp]>([
    ['does not exist', undefined, /does not exist; the database waits/],
    ['lacks the key', secret({ data: {} }), /key that its Secret does not have/],
    ['cannot be looked up', new ApiError(500, 'InternalError', 'x'), /could not be looked up/],
    ['holds nothing', secret({ data: { password: '' } }), /is empty/],
    ['ends in a line break', secret({ data: { password: 'YQo=' } }), /line break/],
    [
      'carries its password in an annotation',
      secret({
        metadata: { name: 'mine', annotations: { [lastApplied]: '{"stringData":{"password":"x"}}' } },
      }),
      /last-applied-configuration/,
    ],
  ])('is let through with a warning when it %s', async (_, found, text) => {
    const { answer, warnings } = await verdict(cluster({ 'Secret mine': found }, ['mine']).client, mine)
    expect(answer.allowed).toBe(true)
    expect(warnings).toEqual([expect.stringMatching(text)])
    expect(warnings[0].length).toBeLessThanOrEqual(256)
  })

  test('is fine when all is well', async () => {
    const { answer } = await verdict(cluster({ 'Secret mine': secret() }, ['mine']).client, mine)
    expect(answer.warnings).toBeUndefined()
  })

  test('is refused when the operator made that Secret for something else', async () => {
    const other = secret({ type: 'otus.homework/mysql-password-hash' })
    const { causes } = await verdict(cluster({ 'Secret mine': other }, ['mine']).client, mine)
    expect(causes[0].message).toContain('a Secret of your own')
  })

  test('is not asked about again while it stays the same', async () => {
    const { client, asked } = cluster()
    const { answer } = await verdict(client, { ...mine, deletionPolicy: 'Retain' }, stored(mine))
    expect([answer.allowed, asked]).toEqual([true, []])
  })

  test('is nobody’s business when the operator made it from an inline password', async () => {
    const object = await admit(mutator(inputs), applied(oldManifest({ image: 'mysql:9.7' })))
    const { client, asked } = cluster()
    const { answer } = await ask(validator(client), review(object))
    expect([answer.allowed, asked]).toEqual([true, []])
  })

  test('is asked about when the seal was made for another resource', async () => {
    const object = await admit(mutator(inputs), applied(oldManifest({ image: 'mysql:9.7' })))
    object.metadata.name = 'thief'
    const { answer } = await ask(validator(cluster().client), review(object))
    expect(answer.status.details.causes).toHaveLength(2)
  })
})
