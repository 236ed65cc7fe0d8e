import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { schemaViolations, summary, told, violations } from '../../src/api/rules.ts'
import type { MySQLSpec } from '../../src/api/schema.ts'
import { mysql } from './fixtures.ts'

const fieldsOf = (...args: Parameters<typeof violations>) => violations(...args).map(({ field }) => field)

test('a valid resource breaks no rule', () => {
  expect(violations(mysql(), mysql())).toEqual([])
})

const backup = (changes: Partial<MySQLSpec['backup']>) => ({ backup: { ...mysql().spec.backup, ...changes } })

describe('a resource is refused for', () => {
  const specs: Record<string, [Partial<Record<keyof MySQLSpec, unknown>>, string]> = {
    'a database that is shell': [{ database: 'x; id' }, 'spec.database'],
    'a database with a backtick': [{ database: 'a`b' }, 'spec.database'],
    'an empty database': [{ database: '' }, 'spec.database'],
    'no database': [{ database: undefined }, 'spec.database'],
    'a system schema, whatever its case': [{ database: 'MySQL' }, 'spec.database'],
    'the schema of the operator': [{ database: 'mysql_operator' }, 'spec.database'],
    'a database whose directory name is too long': [{ database: `a${'-'.repeat(60)}` }, 'spec.database'],
    'an empty image': [{ image: '' }, 'spec.image'],
    'an image with a space': [{ image: 'mysql: 9.7' }, 'spec.image'],
    'the account root': [{ user: 'ROOT' }, 'spec.user'],
    'an account with a quote': [{ user: "a'b" }, 'spec.user'],
    'an account of the server': [{ user: 'mysql.sys' }, 'spec.user'],
    'a stored inline password': [{ password: 'x' }, 'spec.password'],
    'a stored inline password of the account': [{ user_password: 'x' }, 'spec.user_password'],
    'a Secret name with a slash': [
      { passwordSecretRef: { name: 'a/b', key: 'k' } },
      'spec.passwordSecretRef.name',
    ],
    'a Secret key with a slash': [
      { userPasswordSecretRef: { name: 'a', key: '../k' } },
      'spec.userPasswordSecretRef.key',
    ],
    'a Secret of another namespace': [
      { passwordSecretRef: { name: 'a', key: 'k', namespace: 'other' } },
      'spec.passwordSecretRef.namespace',
    ],
    'a namespace in the other reference, even an empty one': [
      { userPasswordSecretRef: { name: 'a', key: 'k', namespace: '' } },
      'spec.userPasswordSecretRef.namespace',
    ],
    'a size that is none': [{ storage_size: 'big' }, 'spec.storage_size'],
    'a size too small for a server': [{ storage_size: '255Mi' }, 'spec.storage_size'],
    'a StorageClass that is no name': [{ storageClassName: 'Fast Disk' }, 'spec.storageClassName'],
    'a restore from a path': [{ restore: { from: '../other/x.sql' } }, 'spec.restore.from'],
    'an amount that is none': [{ resources: { limits: { memory: 'much' } } }, 'spec.resources'],
    'an amount of a thousand digits': [
      { resources: { limits: { memory: '1'.repeat(1000) } } },
      'spec.resources.limits.memory',
    ],
    'a request above its limit': [
      { resources: { limits: { cpu: '1' }, requests: { cpu: '1500m' } } },
      'spec.resources',
    ],
    'a node label with a space': [{ nodeSelector: { 'a b': 'c' } }, 'spec.nodeSelector'],
    'an unknown deletion policy': [{ deletionPolicy: 'Keep' }, 'spec.deletionPolicy'],
    'a macro for a schedule': [backup({ schedule: '@daily' }), 'spec.backup.schedule'],
    'a schedule with seconds': [backup({ schedule: '0 30 2 * * *' }), 'spec.backup.schedule'],
    'an empty schedule': [backup({ schedule: '' }), 'spec.backup.schedule'],
    'a schedule with a time zone': [backup({ schedule: 'TZ=UTC 30 2 * * *' }), 'spec.backup.schedule'],
    'a schedule of another dialect': [backup({ schedule: '30 2 L * *' }), 'spec.backup.schedule'],
    'a minute that no hour has': [backup({ schedule: '60 2 * * *' }), 'spec.backup.schedule'],
    'a day that no year has': [backup({ schedule: '30 2 31 2 *' }), 'spec.backup.schedule'],
    'an offset for a time zone': [backup({ timeZone: '+02:00' }), 'spec.backup.timeZone'],
    'a time zone that is none': [backup({ timeZone: 'Mars/Olympus' }), 'spec.backup.timeZone'],
    'no dump to be kept': [backup({ keep: 0 }), 'spec.backup.keep'],
    'a time that no dump is made in': [backup({ timeoutSeconds: 1 }), 'spec.backup.timeoutSeconds'],
    'a number where a text belongs': [{ database: 5 }, 'spec.database'],
  }
  test.each(Object.entries(specs))('%s', (_, [spec, field]) => {
    const found = violations(mysql({ spec: spec as Partial<MySQLSpec> }))
    expect(found.map((violation) => violation.field)).toContain(field)
    for (const { message } of found) expect(message).toMatch(/.+: .+/)
  })

  test.each(['@daily', 'CRON_TZ=UTC 30 2 * * *', '0 30 2 * * *', '60 2 * * *', '30 2 31 2 *'])(
    'the schedule %s, for one reason',
    (schedule) => {
      expect(fieldsOf(mysql({ spec: backup({ schedule }) as Partial<MySQLSpec> }))).toHaveLength(1)
    },
  )

  test.each([
    ['an upper-case letter', 'Shop'],
    ['a digit in front', '1shop'],
    ['a dot', 'my.shop'],
    ['41 characters', 'a'.repeat(41)],
    ['the beginning of backup objects', 'backup-shop'],
    ['the ending of the Service for Jobs', 'shop-pods'],
  ])('a name with %s', (_, name) => {
    expect(fieldsOf(mysql({ metadata: { name } }))).toContain('metadata.name')
  })
})

describe('of very much that is wrong', () => {
  const wrong = (tolerations: number) => ({
    database: 5,
    tolerations: Array.from({ length: tolerations }, () => ({ operator: 'In', effect: 5 })),
  })

  test('only the size is said where a list or a map is too large: its items are not looked at', () => {
    const labels = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`k${i}`, i]))
    const amounts = { limits: { ...labels, cpu: {} } }
    const spec = { ...wrong(10_000), nodeSelector: labels, resources: amounts }
    expect(schemaViolations(spec).map(({ field }) => field)).toEqual([
      'spec.resources.limits',
      'spec.nodeSelector',
      'spec.tolerations',
    ])
  })

  test('all is found where the sizes are right, and the first twenty are told', () => {
    const found = schemaViolations(wrong(32))
    expect(found).toHaveLength(97)
    expect(told(found)).toHaveLength(21)
    expect(told(found).slice(0, 20)).toEqual(found.slice(0, 20))
    expect(summary(found)).toMatch(/; spec and 77 more are wrong: correct those above first$/)
    expect(told(found.slice(0, 20))).toEqual(found.slice(0, 20))
  })

  test('no key is told at its full length', () => {
    const [found] = schemaViolations({ database: 'a', nodeSelector: { ['k'.repeat(100_000)]: 5 } })
    expect(found?.field.length).toBeLessThan(300)
  })
})

describe('an update is refused for', () => {
  const changes: Record<string, [Partial<MySQLSpec>, Partial<MySQLSpec>, string]> = {
    'another database': [{}, { database: 'other' }, 'spec.database'],
    'another account': [{}, { user: 'bob' }, 'spec.user'],
    'a StorageClass added later': [{}, { storageClassName: 'fast' }, 'spec.storageClassName'],
    'a shrinking volume': [{ storage_size: '2Gi' }, { storage_size: '2047Mi' }, 'spec.storage_size'],
    'a growing volume': [{ storage_size: '1Gi' }, { storage_size: '2Gi' }, 'spec.storage_size'],
    'an older series': [{ image: 'mysql:9.7' }, { image: 'mysql:8.4' }, 'spec.image'],
    'an older patch': [{ image: 'mysql:8.4.5' }, { image: 'mysql:8.4.4' }, 'spec.image'],
    'a jump over a long-term series': [{ image: 'mysql:8.0' }, { image: 'mysql:9.7' }, 'spec.image'],
  }
  test.each(Object.entries(changes))('%s', (_, [was, now, field]) => {
    expect(fieldsOf(mysql({ spec: now }), mysql({ spec: was }))).toEqual([field])
  })

  test.each([
    ['the same size in another unit', { storage_size: '1Gi' }, { storage_size: '1024Mi' }],
    ['the next long-term series', { image: 'mysql:8.0' }, { image: 'mysql:8.4' }],
    ['a tag that names no version', { image: 'mysql:9.7' }, { image: 'mysql:stable' }],
  ])('but not for %s', (_, was, now) => {
    expect(violations(mysql({ spec: now }), mysql({ spec: was }))).toEqual([])
  })
})

describe('an update of what a later rule refuses', () => {
  type Odd = Partial<Record<keyof MySQLSpec, unknown>>
  const odd = (spec: Odd, name = 'shop') => mysql({ metadata: { name }, spec: spec as Partial<MySQLSpec> })
  const broken: Record<string, [Odd, string?]> = {
    'a system schema': [{ database: 'mysql' }],
    'a wrong shape': [{ tolerations: 'none', deletionPolicy: 'Keep' }],
    'no database': [{ database: undefined }],
    'a size that is none': [{ storage_size: 5 }],
    'an image that is none': [{ image: { name: 'mysql' } }],
    'another name': [{}, 'my.name'],
  }

  test.each(Object.entries(broken))(
    '(%s) may leave it as it is, and lift its protection',
    (_, [spec, name]) => {
      const was = odd({ ...spec, deletionProtection: true }, name)
      expect(violations(was)).not.toEqual([])
      expect(violations(odd({ ...spec, deletionProtection: false }, name), was)).toEqual([])
    },
  )

  test.each(Object.entries(broken))('(%s) is refused for what it breaks itself', (_, [spec, name]) => {
    const now = odd({ ...spec, priorityClassName: 'Not one' }, name)
    expect(fieldsOf(now, odd(spec, name))).toEqual(['spec.priorityClassName'])
  })

  test('may put it right, but not into something else that is wrong', () => {
    const sized = (storage_size: unknown) => odd({ storage_size })
    expect(violations(sized('1Gi'), sized(5))).toEqual([])
    expect(fieldsOf(sized('1Mi'), sized(5))).toEqual(['spec.storage_size'])
    const policy = (deletionPolicy: unknown) => odd({ deletionPolicy })
    expect(violations(policy('Retain'), policy('Keep'))).toEqual([])
    expect(fieldsOf(policy('Lose'), policy('Keep'))).toEqual(['spec.deletionPolicy'])
  })
})

test('no refusal ever quotes a password', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-zA-Z0-9]{12,40}$/), (secret) => {
      const spec = {
        password: secret,
        user_password: { nested: secret },
        database: 'x; id',
      } as unknown as Partial<MySQLSpec>
      expect(JSON.stringify(violations(mysql({ spec })))).not.toContain(secret)
    }),
  )
})
