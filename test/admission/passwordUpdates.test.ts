import { describe, expect, test } from 'vitest'
import { lastApplied } from '../../src/admission/lastApplied.ts'
import { withTimesOf } from '../../src/admission/managedFields.ts'
import { finalizer, sealedAnnotation } from '../../src/api/names.ts'
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

describe('an UPDATE', () => {
  const created = async () => {
    const { inputs, hashed } = passwordInputs()
    const handler = mutator(inputs)
    const stored = await admit(handler, applied(oldManifest()))
    hashed.length = 0
    return { handler, hashed, stored }
  }

  /** What `kubectl apply` of a manifest makes of the stored object: the fields given, and a new annotation. */
  const reapplied = (stored: Loose, manifest: Loose) =>
    updateOf(stored, (copy) => {
      const fresh = applied(manifest)
      Object.assign(copy.spec, manifest.spec)
      copy.metadata.annotations[lastApplied] = fresh.metadata.annotations[lastApplied]
      copy.metadata.managedFields = fresh.metadata.managedFields
    })

  test('that applies the same file again changes nothing and hashes nothing', async () => {
    const { handler, hashed, stored } = await created()
    expect(await admit(handler, reapplied(stored, oldManifest()), stored)).toEqual(stored)
    expect(hashed).toEqual([])
  })

  test('that applies the same file again leaves the times and the order of managedFields as they were', async () => {
    const { handler, stored } = await created()
    const status = {
      manager: 'mysql-operator',
      operation: 'Update',
      subresource: 'status',
      time: '2026-01-02T04:00:00Z',
      fieldsV1: { 'f:status': {} },
    }
    stored.metadata.managedFields.push(status)
    const again = reapplied(stored, oldManifest())
    again.metadata.managedFields[0].time = '2026-01-02T05:00:00Z'
    again.metadata.managedFields.unshift(status)
    expect(await admit(handler, again, stored)).toEqual(stored)
    const changed = reapplied(stored, oldManifest({ priorityClassName: 'high' }))
    changed.metadata.managedFields[0].time = '2026-01-02T05:00:00Z'
    changed.metadata.managedFields.push(status)
    const next = await admit(handler, changed, stored)
    expect(next.metadata.managedFields[0].time).toBe('2026-01-02T05:00:00Z')
  })

  test('finds the same managedFields again among however many, in any order', () => {
    const before = Array.from({ length: 10_000 }, (_, i) => ({ manager: `m${i}`, time: 'a' }))
    const again = before.map((entry) => ({ ...entry, time: 'b' })).reverse()
    expect(withTimesOf(before, again)).toBe(before)
    const other = [...again.slice(1), { manager: 'another', time: 'b' }]
    expect(withTimesOf(before, other)).toBe(other)
  })

  test('with another password gets a Secret of a new name, for that account only', async () => {
    const { handler, hashed, stored } = await created()
    const next = await admit(handler, reapplied(stored, oldManifest({ user_password: 'other' })), stored)
    expect(next.spec.userPasswordSecretRef.name).toBe('mysql-instance-user-r3')
    expect(next.spec.passwordSecretRef).toEqual(stored.spec.passwordSecretRef)
    expect(next.metadata.annotations[rootSeal]).toBe(stored.metadata.annotations[rootSeal])
    expect(hashed).toEqual(['mysql_native_password'])
  })

  test('that goes back to the password before makes a new Secret again', async () => {
    const { handler, stored } = await created()
    const next = await admit(handler, reapplied(stored, oldManifest({ password: 'other' })), stored)
    const back = await admit(handler, reapplied(next, oldManifest()), next)
    expect(back.spec.passwordSecretRef.name).toBe('mysql-instance-root-r4')
  })

  test('that leaves the passwords out keeps them, also where kubectl replace drops references and annotations', async () => {
    const { handler, hashed, stored } = await created()
    const replaced = updateOf(stored, ({ metadata, spec }) => {
      delete metadata.annotations
      delete spec.passwordSecretRef
      delete spec.userPasswordSecretRef
    })
    const next = await admit(handler, replaced, stored)
    expect(next.spec).toEqual(stored.spec)
    expect(next.metadata.annotations).toEqual({
      [rootSeal]: stored.metadata.annotations[rootSeal],
      [userSeal]: stored.metadata.annotations[userSeal],
    })
    expect(hashed).toEqual([])
  })

  test('keeps a reference of the user as well when it is left out', async () => {
    const handler = mutator()
    const own = { name: 'mine', key: 'root' }
    const manifest = { metadata: { name: 'shop' }, spec: { database: 'a', passwordSecretRef: own } }
    const stored = await admit(handler, applied(manifest))
    const next = await admit(
      handler,
      updateOf(stored, ({ spec }) => {
        delete spec.passwordSecretRef
      }),
      stored,
    )
    expect(next.spec.passwordSecretRef).toEqual(own)
  })

  test('to a reference of the user drops the seal, so that the old password counts as new afterwards', async () => {
    const { handler, stored } = await created()
    const own = await admit(
      handler,
      updateOf(stored, ({ spec }) => {
        spec.passwordSecretRef = { name: 'mine', key: 'password' }
      }),
      stored,
    )
    expect(own.metadata.annotations[rootSeal]).toBeUndefined()
    const manifest = oldManifest()
    const back = await admit(
      handler,
      updateOf(reapplied(own, manifest), ({ spec }) => {
        delete spec.passwordSecretRef
      }),
      own,
    )
    expect(back.spec.passwordSecretRef.name).toBe('mysql-instance-root-r3')
  })

  test('cannot put an inline password beside a reference of the user', async () => {
    const handler = mutator()
    const manifest = {
      metadata: { name: 'shop' },
      spec: { database: 'a', passwordSecretRef: { name: 'mine', key: 'password' } },
    }
    const stored = await admit(handler, applied(manifest))
    const status = await refused(
      updateOf(stored, ({ spec }) => {
        spec.password = 'x'
      }),
      stored,
      handler,
    )
    expect(status.details.causes[0].field).toBe('spec.passwordSecretRef')
  })

  test('that takes a seal away or forges one gets the true one back', async () => {
    const { handler, stored } = await created()
    for (const forged of [undefined, 'v1.AAAA', stored.metadata.annotations[userSeal]]) {
      const tampered = updateOf(stored, ({ metadata }) => {
        metadata.annotations[rootSeal] = forged
        if (forged === undefined) delete metadata.annotations[rootSeal]
      })
      expect(await admit(handler, tampered, stored)).toEqual(stored)
    }
  })

  test('of labels or finalizers alone is let through whatever the rules say', async () => {
    const { handler, stored } = await created()
    const invalid = updateOf(stored, ({ spec, metadata }) => {
      spec.storage_size = '1'
      metadata.finalizers = [finalizer]
    })
    const changed = updateOf(invalid, ({ metadata }) => {
      metadata.labels = { a: 'b' }
      metadata.finalizers = [finalizer, 'example.org/theirs']
    })
    const next = await admit(handler, changed, invalid)
    expect(next.spec).toEqual(invalid.spec)
    expect(next.metadata).toMatchObject({ labels: { a: 'b' }, finalizers: [finalizer, 'example.org/theirs'] })
  })

  test('with a file that has no finalizers keeps ours, so that a deletion a moment later makes its dump', async () => {
    const { handler, stored } = await created()
    const replaced = updateOf(stored, ({ metadata }) => delete metadata.finalizers)
    expect((await admit(handler, replaced, stored)).metadata.finalizers).toEqual([finalizer])
  })

  test('of one that is being deleted lets go of every finalizer', async () => {
    const { handler, stored } = await created()
    const ending = updateOf(stored, ({ metadata }) => {
      metadata.deletionTimestamp = '2026-01-02T03:04:05Z'
    })
    const released = updateOf(ending, ({ metadata }) => {
      metadata.finalizers = []
    })
    expect((await admit(handler, released, ending)).metadata.finalizers).toEqual([])
  })

  test('is let through where only the name, which nobody can change, would be refused today', async () => {
    const { handler, stored } = await created()
    const old = updateOf(stored, ({ metadata }) => {
      metadata.name = 'my.db'
      metadata.annotations = {}
    })
    const labelled = updateOf(old, ({ metadata }) => {
      metadata.labels = { a: 'b' }
    })
    expect((await admit(handler, labelled, old)).metadata.labels).toEqual({ a: 'b' })
    const changed = updateOf(old, ({ spec }) => {
      spec.deletionPolicy = 'Retain'
    })
    expect((await admit(handler, changed, old)).spec.deletionPolicy).toBe('Retain')
  })

  test('to an image that no longer knows the old form of the hash in force is refused, unless the password comes along', async () => {
    const { handler, stored } = await created()
    const at80 = updateOf(stored, ({ spec }) => {
      spec.image = 'mysql:8.0'
    })
    const at84 = updateOf(at80, ({ spec }) => {
      spec.image = 'mysql:8.4'
    })
    await expect(admit(handler, at80, stored)).resolves.toBeTruthy()
    const status = await refused(at84, at80, handler)
    expect(status.details.causes).toHaveLength(2)
    expect(status.details.causes[0].field).toBe('spec.image')
    const again = updateOf(at84, ({ spec }) => {
      spec.password = 'otuspassword'
      spec.user_password = 's256789'
    })
    await expect(admit(handler, again, at80)).resolves.toMatchObject({ spec: { image: 'mysql:8.4' } })
    // What got there while the webhook was off can still be changed otherwise.
    const other = updateOf(at84, ({ spec }) => {
      spec.deletionPolicy = 'Retain'
    })
    await expect(admit(handler, other, at84)).resolves.toMatchObject({ spec: { deletionPolicy: 'Retain' } })
  })

  test('of an object that is being deleted is let through untouched', async () => {
    const { handler, stored } = await created()
    stored.metadata.deletionTimestamp = '2026-01-02T03:04:05Z'
    const { answer } = await ask(handler, review({ ...stored, spec: 'nonsense' }, stored))
    expect(answer).toEqual({ uid: expect.any(String), allowed: true })
  })
})
