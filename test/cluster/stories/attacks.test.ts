/**
 * What somebody can do who may write MySQLs and nothing else. Each test is an attack on what a neighbour has in the same
 * namespace: a database, its Secrets and its claims.
 */
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import type { MySQL } from '../../../src/api/mysql.ts'
import { annotations, group, labels } from '../../../src/api/names.ts'
import { type Attacker, letIn, sameFor } from './attacker.ts'
import { auditMark, describeRequest, requestsSince } from './audit.ts'
import {
  closeSpace,
  condition,
  eventually,
  openSpace,
  query,
  ready,
  type Space,
  theCluster,
  uniquePassword,
} from './support.ts'

const root = { user: 'root', password: uniquePassword() }
const hidden = uniquePassword()

let place: Space
let attacker: Attacker
let victim: MySQL
let before: string

/** What the neighbour has, with what would change if somebody touched it. */
const belongings = async () => {
  const kinds = 'secrets,persistentvolumeclaims,services,configmaps,statefulsets,networkpolicies,pods'
  const text = await place.kubectl('get', kinds, '-l', `${labels.instance}=shop`, '-o', 'json')
  const { items } = JSON.parse(text) as { items: { kind: string; metadata: { name: string; uid: string } }[] }
  const own = await place.kubectl(
    'get',
    'secret',
    'hidden',
    'theirs',
    '-o',
    'jsonpath={.items[*].metadata.uid}',
  )
  return `${own} ${items.map(({ kind, metadata }) => `${kind}/${metadata.name}/${metadata.uid}`).toSorted()}`
}

beforeAll(async () => {
  place = await openSpace(await theCluster(), 'attacks')
  attacker = await letIn(place)
  await place.kubectl('create', 'secret', 'generic', 'hidden', `--from-literal=password=${hidden}`)
  await place.kubectl('create', 'secret', 'generic', 'theirs', `--from-literal=password=${root.password}`)
  await place.apply('shop', { database: 'shop', passwordSecretRef: { name: 'theirs' } })
  victim = await condition(place, 'shop', 'CredentialsReady', 'True')
  await ready(place, 'shop')
  before = await belongings()
})
afterAll(() => closeSpace(place))

test('The attacker may write MySQLs, and read nothing else', async () => {
  const may = async (verb: string, what: string) =>
    (await attacker.run(['auth', 'can-i', verb, what])).stdout.trim()
  expect(await may('create', 'mysqls.otus.homework')).toBe('yes')
  for (const what of ['secrets', 'persistentvolumeclaims', 'events', 'pods']) {
    expect(await may('get', what)).toBe('no')
    expect(await may('list', what)).toBe('no')
  }
})

describe('A Secret of the neighbour', () => {
  const there = () => ['hidden', 'shop-operator', String(victim.status?.credentials?.root?.secretName)]

  test.each(['passwordSecretRef', 'userPasswordSecretRef'])(
    'named in %s is refused in the words for one that is not there, by a create, an update and a dry run',
    async (field) => {
      expect((await attacker.apply(attacker.evil({ password: uniquePassword() }, {}, 'fair'))).code).toBe(0)
      const names = [...there(), 'missing']
      const words = await sameFor(hidden, names, (name) =>
        attacker.apply(attacker.evil({ [field]: { name } })),
      )
      expect(words).toContain(`spec.${field}: names a Secret that you may not read, if it exists`)
      expect(words).not.toContain('Warning: spec.passwordSecretRef')
      await sameFor(hidden, names, (name) =>
        attacker.apply(attacker.evil({ [field]: { name } }), '--dry-run=server'),
      )
      await sameFor(hidden, names, (name) => attacker.patch('fair', { spec: { [field]: { name } } }))
      // Nor does another key of what was named before, by somebody who might read it.
      const ref = { name: 'theirs', key: 'other' }
      expect((await attacker.patch('shop', { spec: { passwordSecretRef: ref } })).stderr).toContain(
        'may not read',
      )
    },
  )

  test.skipIf(inject('cluster').context !== undefined)('is not even looked at', async () => {
    const mark = auditMark(place.cluster)
    await attacker.apply(attacker.evil({ passwordSecretRef: { name: 'hidden' } }), '--dry-run=server')
    await attacker.apply(attacker.evil({ userPasswordSecretRef: { name: 'missing' } }), '--dry-run=server')
    const asked = requestsSince(place.cluster, mark).map(describeRequest)
    // The rights of the attacker are asked, in this order of things, and nothing that depends on the answer follows.
    expect(asked.filter((request) => request.includes('subjectaccessreviews')).length).toBeGreaterThan(1)
    expect(asked.filter((request) => /get secrets \S+\/(hidden|missing)/.test(request))).toEqual([])
  })

  test('named in imagePullSecrets is refused in the same words too, also while the MySQL is being deleted', async () => {
    const names = ['hidden', 'missing']
    const words = await sameFor(hidden, names, (name) =>
      attacker.apply(attacker.evil({ imagePullSecrets: [{ name }] })),
    )
    expect(words).toContain('spec.imagePullSecrets names a Secret that you may not read, if it exists')
    // Held by a finalizer of the attacker: nobody reviews what is being deleted.
    const held = attacker.evil({ deletionPolicy: 'Delete' }, { finalizers: ['example.com/held'] }, 'held')
    expect((await attacker.apply(held)).code).toBe(0)
    expect((await attacker.run(['delete', 'mysql', 'held', '--wait=false'])).code).toBe(0)
    const update = (name: string) => attacker.patch('held', { spec: { imagePullSecrets: [{ name }] } })
    expect(await sameFor(hidden, names, update)).toContain('may not read')
    expect((await attacker.patch('held', { metadata: { finalizers: null } })).code).toBe(0)
  })

  test('of another namespace cannot be named at all', async () => {
    const ref = { name: 'mysql-operator-key', namespace: 'mysql-operator' }
    const { code, stderr } = await attacker.apply(attacker.evil({ passwordSecretRef: ref }))
    expect(code).not.toBe(0)
    expect(stderr).toContain('a Secret of another namespace cannot be used')
  })

  test('is not had by a copy of what the webhook sealed for somebody else, nor by a made-up seal', async () => {
    const name = 'sealed'
    await place.apply(name, {
      database: 'sealed',
      nodeSelector: { 'example.com/nowhere': 'true' },
      password: uniquePassword(),
    })
    const stored = await place.get(name)
    const reference = stored?.spec.passwordSecretRef
    const key = `${group}/sealed-root`
    const seal = stored?.metadata.annotations?.[key] ?? ''
    expect(seal).not.toBe('')
    for (const text of [seal, `${seal.slice(0, -4)}AAAA`, 'hidden', '{"secretName":"hidden"}']) {
      const copy = attacker.evil({ passwordSecretRef: reference }, { annotations: { [key]: text } })
      expect((await attacker.apply(copy)).stderr).toContain('may not read')
    }
    const spec = { database: 'sealed', passwordSecretRef: { name: 'hidden' } }
    const other = attacker.evil(spec, { annotations: { [key]: seal } }, name)
    // Of its own MySQL, but for another Secret.
    expect((await attacker.run(['replace', '-f', '-'], other)).stderr).toContain('may not read')
  })
})

describe('What is taken', () => {
  test('is not told by a warning: neither claims nor Secrets that have a name which is needed', async () => {
    await place.kubectl('create', 'secret', 'generic', 'taken-operator')
    const noise = 'Warning: spec.resources has no memory limit'
    const free = await attacker.apply(attacker.evil({}, {}, 'free'), '--dry-run=server')
    const taken = await attacker.apply(attacker.evil({}, {}, 'taken'), '--dry-run=server')
    expect(free.code, free.stderr).toBe(0)
    expect(free.stderr).toContain(noise)
    expect(taken.stderr).toBe(free.stderr)
    // Who may read Secrets is warned.
    const said = await place.cluster.run('kubectl', ['apply', '--dry-run=server', '-f', '-'], {
      input: JSON.stringify(attacker.evil({}, {}, 'taken')),
    })
    expect(said.stderr).toContain("Secret taken-operator exists and is not this MySQL's")
  })

  test('is told by the status by its name, and nothing of what is in it', async () => {
    await place.kubectl('create', 'secret', 'generic', 'named-root', `--from-literal=password=${hidden}`)
    expect((await attacker.apply(attacker.evil({}, {}, 'named'))).code).toBe(0)
    await condition(place, 'named', 'CredentialsReady', 'False', 'Waiting')
    const { stdout } = await attacker.run(['get', 'mysql', 'named', '-o', 'yaml'])
    expect(stdout).toContain('Secret named-root was not made by the operator')
    expect(stdout).not.toContain(hidden)
    // Nor was it changed, and its password is nobody's.
    const data = await place.kubectl('get', 'secret', 'named-root', '-o', 'jsonpath={.data.password}')
    expect(Buffer.from(data, 'base64').toString()).toBe(hidden)
  })
})

describe('The neighbour keeps', () => {
  /** Names made from the neighbour's as the operator makes names. */
  const near = [
    'shop-root',
    'shop-pvc',
    'shop-config',
    'shop-operator',
    'shop-0',
    'shop-user',
    'restore-shop-job',
  ]

  test('every object, when MySQLs get names that are made from its own', async () => {
    for (const name of near)
      expect((await attacker.apply(attacker.evil({ password: uniquePassword() }, {}, name))).code).toBe(0)
    for (const name of ['backup-shop', 'shop-pods']) {
      expect((await attacker.apply(attacker.evil({}, {}, name))).stderr).toContain('another database')
    }
    for (const name of near) {
      await eventually(`${name} has its objects`, async () => {
        const text = await place.kubectl('get', 'statefulset', name, '--ignore-not-found', '-o', 'name')
        return text !== ''
      })
      const found = await place.get(name)
      expect(found?.status?.conditions?.find(({ type }) => type === 'Degraded')?.reason).not.toBe('NameTaken')
    }
    expect(await belongings()).toBe(before)
  })

  test('its Service to itself: labels of a MySQL go nowhere, and fields for them are unknown', async () => {
    const marks = { app: 'shop', [labels.instance]: 'shop', [labels.component]: 'database' }
    expect((await attacker.apply(attacker.evil({ podLabels: marks }))).stderr).toContain(
      'unknown field "spec.podLabels"',
    )
    expect((await attacker.apply(attacker.evil({}, { labels: marks }, 'marked'))).code).toBe(0)
    const template = await eventually('it has a StatefulSet', async () => {
      const path = 'jsonpath={.spec.template.metadata.labels}'
      const text = await place.kubectl('get', 'statefulset', 'marked', '--ignore-not-found', '-o', path)
      return text !== '' && (JSON.parse(text) as Record<string, string>)
    })
    expect(template).toMatchObject({ app: 'marked', [labels.instance]: 'marked' })
    const slices = ['endpointslices', '-l', 'kubernetes.io/service-name=shop', '-o']
    const pods = await place.kubectl('get', ...slices, 'jsonpath={.items[*].endpoints[*].targetRef.name}')
    expect(pods).toBe('shop-0')
  })

  test('its backups: no dump of another volume can be named, and no claim', async () => {
    expect((await attacker.apply(attacker.evil({ restore: { claim: 'backup-shop-pvc' } }))).stderr).toContain(
      'unknown field',
    )
    for (const from of ['../backup-shop-pvc/x.sql.gz', '/backup/x.sql.gz']) {
      expect((await attacker.apply(attacker.evil({ restore: { from } }))).stderr).toContain('without any "/"')
    }
    // Every volume of every pod of the attacker's databases.
    const path = 'jsonpath={range .items[*]}{.metadata.name}{" "}{.spec.template.spec.volumes}{"\\n"}{end}'
    const text = await place.kubectl('get', 'statefulsets,jobs', '-o', path)
    const others = text.split('\n').filter((line) => line !== '' && !/^(restore-)?shop(-job)? /.test(line))
    expect(others.length).toBeGreaterThan(near.length)
    for (const line of others) {
      expect(line).not.toMatch(/"(backup-shop-pvc|shop-pvc|theirs|hidden)"/)
    }
  })

  test('its Secrets, whatever marks and status somebody writes into a MySQL, and however it changes', async () => {
    const secretName = victim.status?.credentials?.root?.secretName
    const credential = { secretName, changedAt: '2026-01-01T00:00:00Z' }
    const marks = Object.fromEntries(
      Object.values(annotations).map((key) => [key, victim.metadata.uid ?? '']),
    )
    const crafted = {
      ...attacker.evil({ password: uniquePassword() }, { annotations: { ...marks } }, 'crafted'),
      status: { credentials: { root: credential, user: { ...credential, secretName: 'hidden' } } },
    }
    expect((await attacker.apply(crafted)).code).toBe(0)
    expect((await place.get('crafted'))?.status?.credentials ?? {}).not.toHaveProperty('user')
    const status = await attacker.patch('crafted', { status: crafted.status })
    expect(status.code).toBe(0)
    expect((await place.get('crafted'))?.status?.credentials ?? {}).not.toHaveProperty('user')
    const forbidden = [
      'patch',
      'mysql',
      'crafted',
      '--subresource=status',
      '--type=merge',
      '-p',
      '{"status":{}}',
    ]
    expect((await attacker.run(forbidden)).stderr).toContain('forbidden')
    // Another password, another key, and the end: what goes is what the operator made for this one.
    expect((await attacker.patch('crafted', { spec: { password: uniquePassword() } })).code).toBe(0)
    expect((await attacker.patch('crafted', { spec: { deletionPolicy: 'Delete' } })).code).toBe(0)
    expect((await attacker.run(['delete', 'mysql', 'crafted', '--timeout=90s'])).code).toBe(0)
    expect(await belongings()).toBe(before)
  })

  test('a Secret of its own that its MySQL named, when the MySQL names it no longer', async () => {
    expect(
      (await attacker.patch('shop', { spec: { passwordSecretRef: null, password: uniquePassword() } })).code,
    ).toBe(0)
    await condition(place, 'shop', 'CredentialsReady', 'True')
    const uids = await place.kubectl(
      'get',
      'secret',
      'hidden',
      'theirs',
      '-o',
      'jsonpath={.items[*].metadata.uid}',
    )
    expect(before.startsWith(uids)).toBe(true)
    // And the way back needs the right again.
    expect(
      (await attacker.patch('shop', { spec: { passwordSecretRef: { name: 'theirs' } } })).stderr,
    ).toContain('may not read')
    await place.kubectl(
      'patch',
      'mysql',
      'shop',
      '--type=merge',
      '-p',
      '{"spec":{"passwordSecretRef":{"name":"theirs","key":"password"}}}',
    )
    await eventually(
      'the old password works again',
      async () => (await query(place, 'shop', root, 'SELECT 1')) === '1',
    )
  })
})
