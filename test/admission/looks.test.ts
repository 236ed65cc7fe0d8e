/** What the webhook looks up, asked by the real client of a server over HTTP that can be slow or fail. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createLook } from '../../src/admission/lookups.ts'
import { validate } from '../../src/admission/validate.ts'
import { createClient } from '../../src/kube/client.ts'
import { type FakeServer, type Seen, startFakeServer } from '../kube/fakeServer.ts'
import { ask, defaulted, type Loose, review } from './fixtures.ts'

let server: FakeServer
beforeEach(async () => {
  server = await startFakeServer()
})
afterEach(() => server.stop())

const memory = { resources: { limits: { memory: '1Gi' } } }
const stored = (spec: Loose = {}): Loose => ({
  apiVersion: 'otus.homework/v1',
  kind: 'MySQL',
  metadata: { name: 'shop', namespace: 'team', annotations: {} },
  spec: defaulted({
    database: 'orders',
    passwordSecretRef: { name: 'shop-root', key: 'password' },
    ...memory,
    backup: { schedule: '30 2 * * *' },
    ...spec,
  }),
})

const verdict = async (spec: Loose = {}, old: Loose = null, limitMs = 5_000) => {
  const client = createClient(server.connection)
  const handler = validate({
    operatorNamespace: 'operators',
    look: createLook({ client, key: Buffer.alloc(32, 7), limitMs }),
  })
  const { answer } = await ask(handler, review(stored(spec), old))
  const warnings: string[] = answer.warnings ?? []
  for (const text of warnings) expect(text.length).toBeLessThanOrEqual(256)
  return { allowed: answer.allowed, causes: answer.status?.details.causes ?? [], warnings }
}

const core = '/api/v1/namespaces/team'
const put = (plural: string, name: string, more: Loose = {}) =>
  server.put(`${core}/${plural}`, { ...more, metadata: { namespace: 'team', name, ...more.metadata } })

const isReview = (seen: Seen) => seen.path.endsWith('subjectaccessreviews')
const refusing = (resource: string) =>
  server.inject(
    { do: 'status', code: 201, body: { status: { allowed: false } } },
    (seen) => isReview(seen) && seen.body.spec.resourceAttributes.resource === resource,
    100,
  )

describe('a new MySQL', () => {
  test('in an empty namespace has nothing to be warned of', async () => {
    expect(await verdict()).toEqual({ allowed: true, causes: [], warnings: [] })
  })

  test.each<[string, string, RegExp]>([
    ['persistentvolumeclaims', 'shop-pvc', /PersistentVolumeClaim shop-pvc exists .*handed over/],
    ['persistentvolumeclaims', 'backup-shop-pvc', /PersistentVolumeClaim backup-shop-pvc exists/],
    ['services', 'shop', /Service shop exists .*renamed or deleted$/],
    ['services', 'shop-pods', /Service shop-pods exists/],
    ['configmaps', 'shop-config', /ConfigMap shop-config exists/],
    ['secrets', 'shop-operator', /Secret shop-operator exists/],
    ['secrets', 'shop-init', /Secret shop-init exists/],
    ['secrets', 'shop-root', /Secret shop-root exists/],
  ])('is warned that of the %s %s is taken', async (plural, name, text) => {
    put(plural, name)
    const { allowed, warnings } = await verdict()
    expect([allowed, warnings]).toEqual([true, [expect.stringMatching(text)]])
  })

  test('is warned of StatefulSets and NetworkPolicies of its name', async () => {
    server.put('/apis/apps/v1/namespaces/team/statefulsets', {
      metadata: { namespace: 'team', name: 'shop' },
    })
    server.put('/apis/networking.k8s.io/v1/namespaces/team/networkpolicies', {
      metadata: { namespace: 'team', name: 'shop' },
    })
    expect((await verdict()).warnings).toEqual([
      expect.stringMatching(/^StatefulSet shop exists/),
      expect.stringMatching(/^NetworkPolicy shop exists/),
    ])
  })

  test.each<[string, Loose]>([
    [
      'what a former one of its name left',
      {
        labels: {
          'app.kubernetes.io/managed-by': 'mysql-operator',
          'app.kubernetes.io/instance': 'shop',
        },
      },
    ],
    ['what is on its way out', { deletionTimestamp: '2026-01-02T03:04:05Z' }],
  ])('is not warned of %s', async (_, metadata) => {
    put('persistentvolumeclaims', 'shop-pvc', { metadata })
    expect((await verdict()).warnings).toEqual([])
  })

  test.each([
    ['persistentvolumeclaims', 'shop-pvc'],
    ['secrets', 'shop-root'],
  ])('hears nothing of %s if its writer may not read them, and nobody looks', async (plural, name) => {
    put(plural, name)
    refusing(plural)
    expect(await verdict()).toEqual({ allowed: true, causes: [], warnings: [] })
    expect(server.requests.filter(({ path }) => path.includes(`/${plural}`))).toEqual([])
  })

  test('asks for the rights of its writer, in its namespace, and nothing is written', async () => {
    await verdict()
    const asked = server.requests.filter(isReview).map(({ body }) => body.spec)
    for (const { user, resourceAttributes } of asked) {
      expect([user, resourceAttributes.namespace]).toEqual(['jane', 'team'])
    }
    expect(server.writes().filter((seen) => !isReview(seen))).toEqual([])
  })
})

describe('a ResourceQuota', () => {
  const quota = (hard: Loose, used: Loose = {}, more: Loose = {}) =>
    put('resourcequotas', 'small', { spec: { hard, ...more }, status: { hard, used } })
  const noRoom = (resource: string) => [
    expect.stringContaining(`leaves no room for ${resource} of a new MySQL`),
  ]

  test.each<[string, Loose, Loose, string]>([
    ['volumes', { 'requests.storage': '10Gi' }, { 'requests.storage': '8.5Gi' }, 'requests.storage'],
    ['claims', { persistentvolumeclaims: '3' }, { persistentvolumeclaims: '2' }, 'persistentvolumeclaims'],
    ['memory', { 'limits.memory': '4Gi' }, { 'limits.memory': '3.5Gi' }, 'limits.memory'],
    ['memory that is requested by its limit', { 'requests.memory': '1023Mi' }, {}, 'requests.memory'],
    ['objects that are counted', { 'count/secrets': '2' }, {}, 'count/secrets'],
  ])('that has too little left of %s is warned of', async (_, hard, used, resource) => {
    quota(hard, used)
    expect(await verdict()).toEqual({ allowed: true, causes: [], warnings: noRoom(resource) })
  })

  test('of the StorageClass counts too', async () => {
    server.put('/apis/storage.k8s.io/v1/storageclasses', {
      metadata: { name: 'fast' },
      allowVolumeExpansion: true,
    })
    const ofClass = 'fast.storageclass.storage.k8s.io/requests.storage'
    quota({ [ofClass]: '1Gi' })
    expect((await verdict({ storageClassName: 'fast' })).warnings).toEqual(noRoom(ofClass))
  })

  test.each<[string, Loose, Loose, Loose]>([
    ['has just enough left', { 'requests.storage': '10Gi' }, { 'requests.storage': '8Gi' }, {}],
    ['is about something else', { 'services.loadbalancers': '0' }, {}, {}],
    ['is about some pods only', { pods: '0' }, {}, { scopes: ['BestEffort'] }],
  ])('that %s is not', async (_, hard, used, more) => {
    quota(hard, used, more)
    expect((await verdict()).warnings).toEqual([])
  })

  test('is nothing to tell of to whoever may not list them', async () => {
    quota({ pods: '0' })
    refusing('resourcequotas')
    expect((await verdict()).warnings).toEqual([])
  })

  test('and names that are taken are not looked up again by an update', async () => {
    quota({ pods: '0' })
    put('services', 'shop')
    expect((await verdict({ deletionPolicy: 'Retain' }, stored())).warnings).toEqual([])
    expect(server.requests).toEqual([])
  })
})

test('a StorageClass whose volumes cannot grow is warned of', async () => {
  server.put('/apis/storage.k8s.io/v1/storageclasses', { metadata: { name: 'fixed' } })
  expect(await verdict({ storageClassName: 'fixed' })).toEqual({
    allowed: true,
    causes: [],
    warnings: [expect.stringContaining('volumes can never grow')],
  })
})

describe('an API server that', () => {
  const all = [
    expect.stringContaining('spec.storageClassName could not be looked up'),
    expect.stringContaining('whether all names that this MySQL needs are free'),
    expect.stringContaining('the ResourceQuotas could not be looked up'),
  ]

  test.each<[string, Parameters<FakeServer['inject']>[0]]>([
    ['hangs', { do: 'hang' }],
    ['fails', { do: 'status', code: 500 }],
    ['refuses', { do: 'status', code: 403 }],
    ['is too busy', { do: 'status', code: 429, headers: { 'retry-after': '30' } }],
    ['breaks the connection', { do: 'reset' }],
  ])('%s makes warnings of all look-ups, and no refusal', async (_, fault) => {
    server.inject(fault, () => true, 1000)
    expect(await verdict({ storageClassName: 'fast' }, null, 300)).toEqual({
      allowed: true,
      causes: [],
      warnings: all,
    })
  })

  test.each<[string, Parameters<FakeServer['inject']>[0]]>([
    ['hangs', { do: 'hang' }],
    ['fails', { do: 'status', code: 500 }],
  ])('%s only after it has told of the rights makes the same warnings', async (_, fault) => {
    server.inject(fault, (seen) => !isReview(seen), 1000)
    const { allowed, warnings } = await verdict({ storageClassName: 'fast' }, null, 300)
    expect([allowed, warnings]).toEqual([true, all])
  })

  test('hangs keeps nobody waiting for longer than all look-ups together may take', async () => {
    server.inject({ do: 'hang' }, () => true, 1000)
    const limit = AbortSignal.timeout(4_000)
    await verdict({ storageClassName: 'fast' }, null, 100)
    // The webhook has five seconds; a look-up after the other would have taken longer than one limit.
    expect(limit.aborted).toBe(false)
  })
})

describe('a version', () => {
  const running = (version: string, image: string) => ({ ...stored({ image }), status: { version } })

  test.each([
    [
      'older than the running one, whatever the tag was',
      'mysql:stable',
      '9.7.4',
      'mysql:8.4',
      'is older than',
    ],
    ['two series after the running one', 'mysql:stable', '8.0.33', 'mysql:9.7', 'skips a long-term series'],
  ])('%s is refused', async (_, was, version, image, words) => {
    const { causes } = await verdict({ image }, running(version, was))
    expect(causes).toEqual([
      expect.objectContaining({ field: 'spec.image', message: expect.stringContaining(words) }),
    ])
  })

  test('that an image promised and that never ran can be gone back from', async () => {
    expect(await verdict({ image: 'mysql:8.0' }, running('8.0.33', 'mysql:8.4'))).toMatchObject({
      allowed: true,
    })
  })
})
