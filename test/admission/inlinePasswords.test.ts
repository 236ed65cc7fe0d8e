import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { lastApplied } from '../../src/admission/lastApplied.ts'
import { finalizer, sealedAnnotation } from '../../src/api/names.ts'
import { open } from '../../src/passwords/seal.ts'
import {
  admit,
  applied,
  ask,
  type Loose,
  mutator,
  oldManifest,
  passwordInputs,
  review,
  updateOf,
} from './fixtures.ts'

const rootSeal = sealedAnnotation('root')
const userSeal = sealedAnnotation('user')
const refused = async (object: Loose, oldObject: Loose = null, handler = mutator()) => {
  const { answer } = await ask(handler, review(object, oldObject))
  expect(answer.allowed).toBe(false)
  return answer.status
}

describe('an inline password on CREATE', () => {
  test('of a resource that cannot be named so is not hashed: everything that is wrong is said', async () => {
    const { inputs, hashed } = passwordInputs()
    const object = applied(oldManifest({ database: 'x; id' }))
    object.metadata.name = 'Mysql_Instance'
    const status = await refused(object, null, mutator(inputs))
    expect(status.code).toBe(422)
    expect(status.details.causes.map((cause: Loose) => cause.field)).toEqual([
      'metadata.name',
      'spec.database',
    ])
    expect(hashed).toEqual([])
  })

  test('becomes a sealed hash and a reference, for both accounts', async () => {
    const { inputs, hashed } = passwordInputs()
    const stored = await admit(mutator(inputs), applied(oldManifest({ image: 'mysql:9.7' })))
    expect(stored.spec.password).toBeUndefined()
    expect(stored.spec.user_password).toBeUndefined()
    expect(stored.spec.passwordSecretRef).toEqual({ name: 'mysql-instance-root-r1', key: 'password' })
    expect(stored.spec.userPasswordSecretRef).toEqual({ name: 'mysql-instance-user-r2', key: 'password' })
    expect(hashed).toEqual(['caching_sha2_password', 'caching_sha2_password'])
    const identity = { namespace: 'team', name: 'mysql-instance', account: 'root' }
    const sealed = open(inputs.key, identity, stored.metadata.annotations[rootSeal])
    expect(sealed?.secretName).toBe('mysql-instance-root-r1')
    expect(stored.metadata.finalizers).toEqual([finalizer])
  })

  test('is hashed in the old form only for servers older than 8.0', async () => {
    const { inputs, hashed } = passwordInputs()
    await admit(mutator(inputs), applied(oldManifest()))
    expect(hashed).toEqual(['mysql_native_password', 'mysql_native_password'])
  })

  test('is answered with a warning that names the safer way', async () => {
    const { answer } = await ask(mutator(), review(applied(oldManifest())))
    expect(answer.warnings.join()).toMatch(/spec\.password is hashed.*spec\.passwordSecretRef/)
    expect(answer.warnings.join()).toMatch(/spec\.user_password is hashed.*spec\.userPasswordSecretRef/)
  })

  test('leaves managedFields without the field, but with the others', async () => {
    const stored = await admit(mutator(), applied(oldManifest()))
    const owned = Object.keys(stored.metadata.managedFields[0].fieldsV1['f:spec'])
    expect(owned).toEqual(['.', 'f:image', 'f:database', 'f:storage_size'])
  })

  test('takes a managedFields entry away that owned nothing else', async () => {
    const object = applied(oldManifest())
    const password = { 'f:password': {} }
    for (const fields of [password, { '.': {}, ...password }])
      object.metadata.managedFields.push({ manager: 'rotate', fieldsV1: { 'f:spec': fields } })
    const stored = await admit(mutator(), object)
    expect(stored.metadata.managedFields.map(({ manager }: Loose) => manager)).toEqual([
      'kubectl-client-side-apply',
    ])
  })

  test.each([
    ['empty', '', /^is empty/],
    ['too long', 'x'.repeat(257), /longer than 256 bytes/],
    ['with a NUL byte', 'a\0b', /NUL/],
    ['a number, which YAML makes of digits', 12345678, /not a text: put it in quotes/],
    ['null', null, /not a text/],
  ])('is refused when it is %s, without being quoted', async (_, password, message) => {
    const status = await refused(applied(oldManifest({ password })))
    expect(status.code).toBe(422)
    expect(status.reason).toBe('Invalid')
    expect(status.details.causes).toEqual([
      { field: 'spec.password', reason: 'FieldValueInvalid', message: expect.stringMatching(message) },
    ])
    if (password) expect(JSON.stringify(status)).not.toContain(String(password))
  })

  test('is refused together with a reference of the user, on the field that has to go', async () => {
    const status = await refused(
      applied(oldManifest({ passwordSecretRef: { name: 'mine', key: 'password' } })),
    )
    expect(status.details.causes[0]).toMatchObject({
      field: 'spec.passwordSecretRef',
      message: expect.stringContaining('remove one of the two'),
    })
  })

  test('is refused together with a reference that only looks like the one for a generated password', async () => {
    const passwordSecretRef = { name: 'mysql-instance-root', key: 'password' }
    const status = await refused(applied(oldManifest({ passwordSecretRef })))
    expect(status.details.causes[0].field).toBe('spec.passwordSecretRef')
  })

  test('is refused with generateName, since the seal is for a name', async () => {
    const object = applied(oldManifest())
    delete object.metadata.name
    object.metadata.generateName = 'db-'
    const status = await refused(object)
    expect(status.details.causes.map(({ field }: Loose) => field)).toEqual([
      'spec.password',
      'spec.user_password',
    ])
    expect(status.message).toContain('metadata.name')
  })
})

describe('a resource without a root password', () => {
  const bare = { metadata: { name: 'shop' }, spec: { database: 'orders' } }

  test('gets a reference to one that is generated', async () => {
    const stored = await admit(mutator(), applied(bare))
    expect(stored.spec.passwordSecretRef).toEqual({ name: 'shop-root', key: 'password' })
    expect(stored.spec.userPasswordSecretRef).toBeUndefined()
  })

  test('can be given one inline later', async () => {
    const stored = await admit(mutator(), applied(bare))
    const next = await admit(
      mutator(),
      updateOf(stored, ({ spec }) => {
        spec.password = 'first'
      }),
      stored,
    )
    expect(next.spec.passwordSecretRef.name).toBe('shop-root-r1')
  })

  test('is let through with generateName, with nothing to point at yet', async () => {
    const object = applied(bare)
    delete object.metadata.name
    object.metadata.generateName = 'shop-'
    const stored = await admit(mutator(), object)
    expect(stored.spec.passwordSecretRef).toBeUndefined()
  })
})

describe('a sealed annotation that comes with a CREATE', () => {
  test('is kept when it opens for this resource and the reference names its Secret: a restored copy', async () => {
    const handler = mutator()
    const stored = await admit(handler, applied(oldManifest()))
    const { uid: _, ...metadata } = stored.metadata
    expect(await admit(handler, { ...stored, metadata })).toEqual({ ...stored, metadata })
  })

  test('is removed when it is of another resource, or made up', async () => {
    const handler = mutator()
    const stored = await admit(handler, applied(oldManifest()))
    const seals = stored.metadata.annotations
    const other = applied({
      metadata: { name: 'other', annotations: { [rootSeal]: seals[rootSeal], [userSeal]: 'v1.made-up' } },
      spec: { database: 'a', passwordSecretRef: stored.spec.passwordSecretRef },
    })
    const next = await admit(handler, other)
    expect(Object.keys(next.metadata.annotations)).toEqual([lastApplied])
    expect(next.metadata.annotations[lastApplied]).not.toContain('sealed')
  })
})

test('mutating what was mutated changes nothing', async () => {
  const password = fc.option(fc.string({ minLength: 1, maxLength: 40 }), { nil: undefined })
  const reference = fc.option(fc.constant({ name: 'mine', key: 'password' }), { nil: undefined })
  await fc.assert(
    fc.asyncProperty(password, password, reference, fc.boolean(), async (root, user, own, update) => {
      const handler = mutator()
      const spec = {
        database: 'orders',
        ...(root === undefined ? {} : { password: root.replaceAll('\0', '0') }),
        ...(user === undefined ? {} : { user_password: user.replaceAll('\0', '0') }),
        ...(own && root === undefined ? { passwordSecretRef: own } : {}),
      }
      const before = update
        ? await admit(handler, applied({ metadata: { name: 'shop' }, spec: { database: 'orders' } }))
        : null
      const once = await admit(handler, applied({ metadata: { name: 'shop' }, spec }), before)
      expect(await admit(handler, once, before)).toEqual(once)
      // And so does storing it once more.
      expect(await admit(handler, once, once)).toEqual(once)
    }),
    { numRuns: 60 },
  )
})
