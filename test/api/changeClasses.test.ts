import { describe, expect, test } from 'vitest'
import { changeClasses } from '../../src/api/changeClasses.ts'
import { onceRules } from '../../src/api/rules/once.ts'
import { violations } from '../../src/api/rules.ts'
import type { MySQLSpec } from '../../src/api/schema.ts'
import { statefulSet } from '../../src/desired/statefulSet.ts'
import { mysql } from './fixtures.ts'

/** For each field another value than the fixture's. */
const others: { [K in keyof Required<MySQLSpec>]: MySQLSpec[K] } = {
  image: 'mysql:9.7.1',
  database: 'invoices',
  password: 'never stored',
  passwordSecretRef: { name: 'mine', key: 'root' },
  user: 'shop',
  user_password: 'never stored',
  userPasswordSecretRef: { name: 'mine', key: 'user' },
  passwordGraceSeconds: 3600,
  storage_size: '2Gi',
  storageClassName: 'fast',
  resources: { limits: { memory: '2Gi' } },
  nodeSelector: { disk: 'ssd' },
  tolerations: [{ key: 'databases', operator: 'Exists' }],
  priorityClassName: 'high',
  imagePullPolicy: 'Always',
  imagePullSecrets: [{ name: 'registry' }],
  suspended: true,
  deletionPolicy: 'Retain',
  deletionProtection: true,
  backup: {
    timeZone: 'Europe/Berlin',
    keep: 3,
    verifyEvery: 1,
    suspended: true,
    beforeUpgrade: true,
    timeoutSeconds: 60,
  },
  restore: { from: 'none' },
}
const fields = Object.entries(changeClasses) as [keyof MySQLSpec, string][]
const ofClass = (wanted: string) => fields.flatMap(([field, one]) => (one === wanted ? [field] : []))
const changed = (field: keyof MySQLSpec) => mysql({ spec: { [field]: others[field] } })

const inputs = { claimUid: '99999999-8888-7777-6666-555555555555', accountUid: 'of the Secret' }
const podOf = (of: ReturnType<typeof mysql>) => statefulSet(of, inputs).spec?.template

describe('the change class of a field says what its change does', () => {
  test.each(ofClass('rolling'))('rolling: %s replaces the pod', (field) => {
    expect(violations(changed(field), mysql())).toEqual([])
    expect(podOf(changed(field))).not.toEqual(podOf(mysql()))
  })

  test.each(ofClass('live'))('live: %s does not touch the pod', (field) => {
    expect(podOf(changed(field))).toEqual(podOf(mysql()))
  })

  test.each(ofClass('once'))('once: %s cannot be changed', (field) => {
    expect(violations(changed(field), mysql()).map((one) => one.field)).toContain(`spec.${field}`)
  })

  test('once is every field with a rule that says so', () => {
    expect(ofClass('once')).toEqual(
      expect.arrayContaining(onceRules.map(({ field }) => field.slice('spec.'.length))),
    )
  })
})
