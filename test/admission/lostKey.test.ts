/** The operator key was lost and made anew: no seal opens, and the passwords in force are still the ones that were given. */
import { describe, expect, test } from 'vitest'
import { sealedAnnotation } from '../../src/api/names.ts'
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

const seal = sealedAnnotation('root')

/** Suffixes as the operator makes them: ten hex digits. */
const inputsWith = (key: number) => {
  const { inputs, hashed } = passwordInputs()
  let serial = 0
  const randomSuffix = () => `${key}${String(++serial).padStart(9, '0')}`
  return { inputs: { ...inputs, key: Buffer.alloc(32, key), randomSuffix }, hashed }
}

const lost = async () => {
  const stored = await admit(mutator(inputsWith(1).inputs), applied(oldManifest()))
  const { inputs, hashed } = inputsWith(2)
  return { stored, hashed, key: inputs.key, handler: mutator(inputs) }
}

/** What `kubectl apply` of the file sends: the stored references, and the passwords beside them. */
const reapplied = (stored: Loose, changes: Loose = {}) =>
  updateOf(stored, ({ spec }) => Object.assign(spec, oldManifest(changes).spec))

describe('with another operator key', () => {
  test('the same file is taken as a change of both passwords, whether the old seal is still there or not', async () => {
    const { stored, hashed, key, handler } = await lost()
    const labelled = updateOf(stored, ({ metadata }) => {
      metadata.labels = { a: 'b' }
    })
    const touched = await admit(handler, labelled, stored)
    expect(touched.metadata.annotations).not.toHaveProperty(seal)
    for (const [i, before] of [stored, touched].entries()) {
      const next = await admit(handler, reapplied(before), before)
      expect(next.spec.passwordSecretRef.name).toBe(`mysql-instance-root-200000000${2 * i + 1}`)
      expect(next.spec.userPasswordSecretRef.name).toBe(`mysql-instance-user-200000000${2 * i + 2}`)
      const identity = { namespace: 'team', name: 'mysql-instance', account: 'root' }
      expect(open(key, identity, next.metadata.annotations[seal])?.secretName).toBe(
        next.spec.passwordSecretRef.name,
      )
      expect(next.spec).not.toHaveProperty('password')
    }
    expect(hashed).toHaveLength(4)
  })

  test('and after that the same file changes nothing again', async () => {
    const { stored, hashed, handler } = await lost()
    const next = await admit(handler, reapplied(stored), stored)
    hashed.length = 0
    expect(await admit(handler, reapplied(next), next)).toEqual(next)
    expect(hashed).toEqual([])
  })

  test('the answer does not tell whether it is the same password', async () => {
    const { stored, handler } = await lost()
    const answers = await Promise.all(
      ['otuspassword', 'another one'].map(async (password) => {
        const { answer, patch } = await ask(handler, review(reapplied(stored, { password }), stored))
        return [answer.allowed, answer.warnings, patch.map(({ op, path }) => `${op} ${path}`).sort()]
      }),
    )
    expect(answers[0]).toEqual(answers[1])
  })

  test.each([
    ['is not the stored one', 'mysql-instance-root-0000000001', 'mysql-instance-root-0000000002'],
    ['has a name of the user’s own', 'mine', 'mine'],
    ['is named for another resource', 'other-root-0000000001', 'other-root-0000000001'],
    ['is named for the other account', 'mysql-instance-user-0000000001', 'mysql-instance-user-0000000001'],
    ['only begins like one of ours', 'mysql-instance-root-new', 'mysql-instance-root-new'],
  ])('a password beside a reference that %s is refused as ever', async (_, was, now) => {
    const { stored, handler } = await lost()
    const before = updateOf(stored, ({ spec }) => {
      spec.passwordSecretRef = { name: was, key: 'password' }
    })
    const object = updateOf(before, ({ spec }) => {
      spec.password = 'x'
      spec.passwordSecretRef = { name: now, key: 'password' }
    })
    const { answer } = await ask(handler, review(object, before))
    expect(answer.status.details.causes.map(({ field }: Loose) => field)).toEqual(['spec.passwordSecretRef'])
  })

  test('a new resource cannot bring such a reference along', async () => {
    const { stored, handler } = await lost()
    const { uid: _, ...metadata } = stored.metadata
    const { answer } = await ask(handler, review({ ...reapplied(stored), metadata }))
    expect(answer.status.details.causes).toHaveLength(2)
  })
})
