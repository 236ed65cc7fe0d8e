/**
 * A pod template that differs replaces the pod of every database when the operator is upgraded. Whoever changes one of these
 * numbers tells so in the CHANGELOG, where people look before they upgrade.
 */
import { expect, test } from 'vitest'
import type { TypedResource } from '../../src/api/resource.ts'
import { statefulSet } from '../../src/desired/statefulSet.ts'
import { contentHash } from '../../src/kube/apply.ts'
import { mysql } from '../api/fixtures.ts'
import { cases, claimUid } from './cases.ts'

const templateHash = (of: ReturnType<typeof mysql>, more = {}) =>
  contentHash(
    statefulSet(of, { claimUid, accountUid: 'account-uid', ...more }).spec
      ?.template as unknown as TypedResource,
  )

test.each([
  ['only what is required', 'efbebdd56f0f2d4c'],
  ['everything that a pod can be given', '960cc6381ab5204b'],
  ['an image older than 8.0', 'da3960a34912884c'],
])('the pod of a MySQL with %s is the one of the version before', (name, hash) => {
  expect(templateHash(cases[name] ?? mysql())).toBe(hash)
})

test('a pod that is stopped and started again is the same', () => {
  expect(templateHash(mysql(), { stopped: true })).toBe(templateHash(mysql()))
})
