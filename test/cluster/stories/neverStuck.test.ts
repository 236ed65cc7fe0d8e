/** A resource that is stored, and that a rule refuses which came later, keeps nothing from going on or from ending. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { crd } from '../../../src/api/crd.ts'
import { finalizer } from '../../../src/api/names.ts'
import type { TypedResource } from '../../../src/api/resource.ts'
import { release } from '../install.ts'
import {
  closeSpace,
  condition,
  eventually,
  gone,
  mysql,
  namespaceGone,
  openSpace,
  type Space,
  theCluster,
  type Written,
} from './support.ts'
import { removePolicies, removeWebhooks } from './webhooks.ts'

const cluster = await theCluster()
const crdName = crd().metadata.name

const dryRun = (manifest: object) =>
  cluster.run('kubectl', ['apply', '--dry-run=server', '-f', '-'], {
    input: JSON.stringify(manifest),
    allowFailure: true,
  })

interface Schema {
  'x-kubernetes-validations'?: object[]
  properties: { spec: Record<string, unknown> }
}
interface Spec {
  versions: { schema: { openAPIV3Schema: Schema } }[]
}

/** Puts another schema into the CRD, and answers how to put the one before back; helm stays the owner of its fields. */
const withSchema = async (change: (schema: Schema) => void): Promise<() => Promise<void>> => {
  const get = ['get', 'crd', crdName, '--show-managed-fields', '-o', 'json']
  const { metadata, spec } = JSON.parse(await cluster.kubectl(...get)) as TypedResource & { spec: Spec }
  const write = async (schema: Schema) => {
    const operations = [
      { op: 'replace', path: '/spec/versions/0/schema/openAPIV3Schema', value: schema },
      { op: 'replace', path: '/metadata/managedFields', value: metadata.managedFields },
    ]
    await cluster.kubectl('patch', 'crd', crdName, '--type=json', '-p', JSON.stringify(operations))
  }
  const before = spec.versions[0]?.schema.openAPIV3Schema as Schema
  const after = structuredClone(before)
  change(after)
  await write(after)
  return () => write(before)
}

/** Resources that no rule of today lets in: what each is, and how the status names what is wrong. */
const refusedToday: Record<string, { spec: Written; broken: string }> = {
  'a-rule': { spec: { database: 'mysql', image: 'mysql:9.7' }, broken: 'spec.database' },
  'a-shape': { spec: { database: 'shop', deletionPolicy: 'Keep', tolerations: 'none' }, broken: 'spec.' },
  'a-secret': { spec: { database: 'shop', imagePullSecrets: 'registry' }, broken: 'spec.imagePullSecrets' },
  'my.name': { spec: { database: 'shop' }, broken: 'metadata.name' },
}
const names = Object.keys(refusedToday)

/** Stores them while neither the webhooks nor the CRD nor policies look; those are back when it ends, also when it fails. */
const store = async (place: Space) => {
  const undo: (() => Promise<void>)[] = []
  try {
    undo.push(await removeWebhooks(cluster))
    undo.push(await removePolicies(cluster))
    undo.push(
      await withSchema((schema) => {
        delete schema['x-kubernetes-validations']
        schema.properties.spec = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
      }),
    )
    for (const [name, { spec }] of Object.entries(refusedToday)) {
      const manifest = mysql(place.namespace, name, { ...spec, deletionProtection: true })
      await eventually(`${name} is stored`, () => cluster.apply(manifest), 30)
    }
  } finally {
    for (const back of undo.reverse()) await back()
  }
  const wrong = mysql(place.namespace, 'wrong', { database: 'mysql' })
  await eventually('the rules hold again', async () => (await dryRun(wrong)).code !== 0, 30)
  const [name = ''] = names
  const protects = async () => (await place.attempt('delete', 'mysql', name, '--dry-run=server')).code !== 0
  await eventually('the policies hold again', protects, 30)
}

describe('A resource that is stored, and that a rule refuses which came later', () => {
  let place: Space
  const patch = (name: string, body: object, ...more: string[]) =>
    place.attempt('patch', 'mysql', name, '--type=merge', '-p', JSON.stringify(body), ...more)

  beforeAll(async () => {
    place = await openSpace(cluster, 'later')
    await store(place)
  })
  afterAll(() => closeSpace(place))

  test.each(names)('(%s) gets a status and the finalizer from the operator all the same', async (name) => {
    const found = await condition(place, name, 'Degraded', 'True', 'Invalid', 60)
    expect(found.status?.message).toContain(refusedToday[name]?.broken)
    expect(found.metadata.finalizers).toContain(finalizer)
  })

  test.each(names)('(%s) can be labelled, annotated, and lose its finalizer', async (name) => {
    expect(await place.attempt('label', 'mysql', name, 'a=b')).toMatchObject({ code: 0 })
    expect(await place.attempt('annotate', 'mysql', name, 'a=b')).toMatchObject({ code: 0 })
    expect(await patch(name, { metadata: { finalizers: null } })).toMatchObject({ code: 0 })
    // It lives, so the operator will have it back.
    await eventually(
      `${name} has its finalizer again`,
      async () => (await place.get(name))?.metadata.finalizers?.includes(finalizer),
      60,
    )
  })

  test.each(names)('(%s) has a status that can be written, and no scale', async (name) => {
    const status = { status: { message: 'by hand' } }
    expect(await patch(name, status, '--subresource=status')).toMatchObject({ code: 0 })
    // A subresource that is not there: the API server says so by itself.
    expect((await place.attempt('scale', 'mysql', name, '--replicas=0')).stderr).toContain('(NotFound)')
  })

  test.each(names)('(%s) is not changed into anything else that is wrong', async (name) => {
    const { code, stderr } = await patch(name, { spec: { storage_size: '1Mi' } })
    expect(code).not.toBe(0)
    expect(stderr).toContain('spec.storage_size')
    expect(stderr).toContain('256Mi')
  })

  test('has no other subresource that a rule or a webhook could ever block', async () => {
    const { resources } = JSON.parse(await cluster.kubectl('get', '--raw', '/apis/otus.homework/v1'))
    const served = resources.map(({ name }: { name: string }) => name)
    expect(served).toEqual(['mysqls', 'mysqls/status'])
    const rules =
      'jsonpath={.items[*].webhooks[*].rules[*].resources} {.items[*].webhooks[*].rules[*].operations}'
    const kinds = 'mutatingwebhookconfigurations,validatingwebhookconfigurations'
    const gated = await cluster.kubectl(
      'get',
      kinds,
      '-l',
      `app.kubernetes.io/instance=${release}`,
      '-o',
      rules,
    )
    const [of, on] = ['["mysqls"]', '["CREATE","UPDATE"]']
    expect(gated).toBe(`${of} ${of} ${on} ${on}`)
  })

  test('can be mended', async () => {
    const mended = { spec: { deletionPolicy: 'Delete', tolerations: null } }
    expect(await patch('a-shape', mended)).toMatchObject({ code: 0 })
    const secrets = { spec: { imagePullSecrets: [{ name: 'registry' }] } }
    expect(await patch('a-secret', secrets)).toMatchObject({ code: 0 })
  })

  test.each(['a-rule', 'a-shape'])('(%s) can lose its protection, and then goes', async (name) => {
    const refused = await place.attempt('delete', 'mysql', name, '--wait=false')
    expect(refused.stderr).toContain('spec.deletionProtection is true')
    expect(await patch(name, { spec: { deletionProtection: false } })).toMatchObject({ code: 0 })
    expect(await place.attempt('delete', 'mysql', name, '--wait=false')).toMatchObject({ code: 0 })
    await gone(place, name)
  })

  test('goes with its namespace, protected or not', async () => {
    await closeSpace(place)
    await namespaceGone(place)
  })
})
