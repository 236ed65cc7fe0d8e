/** The rules in TypeScript and the rules in the CRD are one thing said twice: the API server must judge as we do. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { MySQL } from '../../../src/api/mysql.ts'
import { explain, type Rule } from '../../../src/api/rule.ts'
import { rules } from '../../../src/api/rules.ts'
import { restrictedNamespace } from '../install.ts'
import { apply, judged, storedName } from './refusals.ts'
import { inNamespace, mysql, theCluster } from './support.ts'
import { removeWebhooks } from './webhooks.ts'
import { storedSpec } from './wrongManifests.ts'

const cluster = await theCluster()
const namespace = 'same-rules'
const celRules = rules.filter(({ cel }) => cel !== undefined)

/** A rule as the API server words it when it is broken. */
const wordsOf = (rule: Rule) => {
  const path = rule.cel?.at === 'spec' ? rule.field : '<nil>'
  const message = rule.cel?.at === 'spec' ? explain(rule) : `${rule.field} ${explain(rule)}`
  return `${path}: Invalid value: "object": ${message}`
}

const brokenHere = (now: MySQL, was?: MySQL) => celRules.filter((rule) => rule.broken(now, was)).map(wordsOf)
const brokenThere = (answer: string) => celRules.map(wordsOf).filter((words) => answer.includes(words))

const of = <T>(...values: T[]) => fc.constantFrom(...values)
const maybe = <T>(...values: T[]) => fc.option(fc.constantFrom(...values), { nil: undefined })
/** Mostly the right values, so that most examples break one rule or none. */
const mostly = <T>(right: fc.Arbitrary<T>, wrong: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 3, arbitrary: right }, { weight: 1, arbitrary: wrong })
const text = (alphabet: string, maxLength: number) =>
  fc.string({ unit: fc.constantFrom(...alphabet), minLength: 1, maxLength })

const database = mostly(
  of('shop', '_x', '9', 'a-b', 'a$b', 'x'.repeat(64), 'Mysql2', `x${'-'.repeat(50)}`),
  fc.oneof(
    of('', '-x', '$x', 'a b', 'a`b', 'é', 'a\nb', 'mysql', 'SYS', 'mysql_operator', `x${'-'.repeat(51)}`),
    of('information_schema', 'PERFORMANCE_SCHEMA', `x${'$-'.repeat(25)}`, 'a.b', 'shop\n'),
    text('aZ9_$-. \n`', 64),
  ),
)
const user = mostly(
  of('ali', 'a.b-c_9', 'x'.repeat(32), 'roots', 'mysql'),
  fc.oneof(
    of('', 'root', 'ROOT', 'mysql.sys', 'MYSQL.x', 'mysql_operator', "a'b", 'a b'),
    text('aB._-@ ', 32),
  ),
)
const size = mostly(
  of('1Gi', '256Mi', '0.5Gi', '1e9', '268435456', '1T', '+1Gi', '1.Gi', '300000Ki'),
  of(
    '',
    'big',
    '255Mi',
    '1gi',
    '1 Gi',
    '-1Gi',
    '268435455',
    '1e8',
    '1.2.3Gi',
    '0',
    '100m',
    '.5Gi',
    '1E',
    '9e99',
    '1e100',
    '1e-99',
    '5n',
    '999999999999u',
    '1e-3',
    '1E3',
    '1E3Gi',
    '1Ei',
    '+-1',
  ),
)
const name = mostly(of('fast', 'a.b-c', '9x'), of('', 'Fast', 'a b', '-a', 'a-', 'a_b', 'a\n'))
const key = mostly(of('password', 'a.B_c-9'), of('', 'a/b', '../x', 'a b', 'é', 'a\n'))
const secretRef = fc.record({ name, key, namespace: mostly(fc.constant(undefined), maybe('other', '')) })
const schedule = mostly(
  of('30 2 * * *', '*/5 8-18/2 1,15 JAN-MAR mon', '0  0 * * 7'),
  of(
    '',
    '@daily',
    '@every 1h',
    'TZ=UTC 0 0 * * *',
    '0 0 0 * * *',
    '0 0 * *',
    '0 0 L * *',
    '0 0 ? * *',
    '5/15 * * * *',
    '0 0 * * *\n',
  ),
)
const ownName = mostly(
  fc.constant(undefined),
  of(
    'a',
    'x'.repeat(40),
    'x'.repeat(41),
    'backup-x',
    'x-pods',
    'pods',
    'x-backup',
    '1x',
    'a.b',
    'x-',
    'a--b',
  ),
)

const example = fc.record({
  name: ownName,
  spec: fc.record({
    image: mostly(of('mysql:9.7', 'host:5000/a/b@sha256:00'), of('', 'a b', '-x', ':x', '$(id)', 'mysql\n')),
    database,
    user,
    storage_size: size,
    storageClassName: fc.option(name, { nil: undefined }),
    priorityClassName: fc.option(name, { nil: undefined }),
    password: mostly(fc.constant(undefined), maybe('Secret-1', '')),
    user_password: mostly(fc.constant(undefined), maybe('Secret-1', '')),
    passwordSecretRef: fc.option(secretRef, { nil: undefined }),
    userPasswordSecretRef: fc.option(secretRef, { nil: undefined }),
    backup: fc.record({ schedule: fc.option(schedule, { nil: undefined }), timeZone: of('UTC') }),
    restore: fc.record({
      from: mostly(
        of('latest', 'none', 'a-1.sql.gz', 'a.sql'),
        of('', 'Latest', '../a.sql', '.sql', 'a.gz', '-a.sql', 'a b.sql', 'latest\n'),
      ),
    }),
  }),
})

const own = inNamespace(cluster, namespace)
let restore = async () => {}
beforeAll(async () => {
  await cluster.apply(restrictedNamespace(namespace))
  restore = await removeWebhooks(cluster)
})
afterAll(async () => {
  await restore()
  await own.attempt('delete', 'namespace', namespace, '--wait=false')
})

test('what is created is judged alike, and every rule is met both broken and kept', async () => {
  const seen = fc.sample(example, { numRuns: 250, seed: 20260102 })
  // One object of a name at a time would do; but a verdict is found by its name.
  const manifests = [...new Map(seen.map(({ name, spec }, i) => [name ?? `n${i}`, spec])).entries()].map(
    ([name, spec]) => mysql(namespace, name, spec),
  )
  const verdicts = await judged(cluster, manifests)
  const there = manifests.map(({ metadata }) => verdicts.get(metadata.name) ?? '')
  const here = manifests.map((manifest) => brokenHere(manifest as unknown as MySQL))
  manifests.forEach((manifest, i) => {
    expect.soft(brokenThere(there[i] ?? ''), JSON.stringify(manifest)).toEqual(here[i])
    // Nothing is refused for a reason that is none of ours, but for names that no object can have.
    const refused = there[i] !== '' && !there[i]?.includes('metadata.name: Invalid value')
    if (refused) expect.soft(here[i], JSON.stringify(manifest)).not.toEqual([])
    if (there[i] === '') expect.soft(here[i], JSON.stringify(manifest)).toEqual([])
  })
  const always = celRules.filter((rule) => !rule.cel?.rule.includes('oldSelf')).map(wordsOf)
  expect(always.filter((words) => !here.some((found) => found.includes(words)))).toEqual([])
  expect(always.filter((words) => here.every((found) => found.includes(words)))).toEqual([])
})

describe('an update', () => {
  const was = {
    restore: { from: 'latest' },
    backup: { timeZone: 'UTC' },
    storage_size: '1Gi',
    user: 'ali',
    image: 'mysql:9.7',
    ...storedSpec,
  }
  beforeAll(async () => {
    await cluster.apply(mysql(namespace, storedName, was))
  })

  const updates: Record<string, Record<string, unknown>> = {
    'nothing at all': {},
    'another database': { database: 'other' },
    'another account': { user: 'bob' },
    'a StorageClass that comes later': { storageClassName: 'standard' },
    'another dump': { restore: { from: 'none' } },
    'less storage': { storage_size: '1023Mi' },
    'more storage': { storage_size: '1025Mi' },
    'the same storage in other words': { storage_size: '1024Mi' },
    'another password': { passwordSecretRef: { name: 'other', key: 'password' } },
    'two things at once': { database: 'other', storage_size: '512Mi' },
  }
  const manifest = (spec: object) => mysql(namespace, storedName, { ...was, ...spec })

  test.each(Object.entries(updates))('of %s is judged alike', async (_, spec) => {
    const { code, stderr } = await apply(cluster, manifest(spec), '--dry-run=server')
    const here = brokenHere(manifest(spec) as unknown as MySQL, manifest({}) as unknown as MySQL)
    expect(brokenThere(stderr)).toEqual(here)
    expect(code === 0, stderr).toBe(here.length === 0)
  })

  test('is tried for every rule about updates', () => {
    const onUpdates = celRules.filter(({ cel }) => cel?.rule.includes('oldSelf')).map(wordsOf)
    const met = Object.values(updates).flatMap((spec) =>
      brokenHere(manifest(spec) as unknown as MySQL, manifest({}) as unknown as MySQL),
    )
    expect(onUpdates.filter((words) => !met.includes(words))).toEqual([])
  })
})
