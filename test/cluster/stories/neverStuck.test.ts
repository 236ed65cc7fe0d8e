/** Nothing of the operator's keeps anything from going: neither a rule that came later, nor a webhook that does not answer. */
import { beforeAll, describe, expect, test } from 'vitest'
import { crd } from '../../../src/api/crd.ts'
import { finalizer } from '../../../src/api/names.ts'
import type { TypedResource } from '../../../src/api/resource.ts'
import { installOperator, release } from '../install.ts'
import { bothReady, replicas } from './replicas.ts'
import {
  closeSpace,
  condition,
  eventually,
  gone,
  mysql,
  openSpace,
  query,
  ready,
  type Space,
  theCluster,
  uniquePassword,
} from './support.ts'
import { removeWebhooks } from './webhooks.ts'

const cluster = await theCluster()
const crdName = crd().metadata.name
const root = { user: 'root', password: uniquePassword() }

const patchOf = (place: Space, name: string, body: object, ...more: string[]) =>
  place.attempt('patch', 'mysql', name, '--type=merge', '-p', JSON.stringify(body), ...more)

const dryRun = (manifest: object) =>
  cluster.run('kubectl', ['apply', '--dry-run=server', '-f', '-'], {
    input: JSON.stringify(manifest),
    allowFailure: true,
  })

/** Puts another schema into the CRD, and back; helm stays the owner of its fields. */
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

interface Schema {
  'x-kubernetes-validations'?: object[]
  properties: { spec: Record<string, unknown> }
}
interface Spec {
  versions: { schema: { openAPIV3Schema: Schema } }[]
}

/** Resources that no rule of today lets in: what each is, and what mends it. */
const refusedToday = {
  'a-rule': { spec: { database: 'mysql', image: 'mysql:9.7' }, broken: 'spec.database' },
  'a-shape': { spec: { database: 'shop', deletionPolicy: 'Keep', tolerations: 'none' }, broken: 'spec.' },
  'no-database': { spec: {}, broken: 'spec.database' },
  'my.name': { spec: { database: 'shop' }, broken: 'metadata.name' },
}
const names = Object.keys(refusedToday) as (keyof typeof refusedToday)[]

describe('A resource that is stored, and that a rule refuses which came later', () => {
  let place: Space

  beforeAll(async () => {
    place = await openSpace(cluster, 'later')
    const putBack = await removeWebhooks(cluster)
    try {
      const tighten = await withSchema((schema) => {
        delete schema['x-kubernetes-validations']
        schema.properties.spec = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
      })
      try {
        for (const name of names) {
          const manifest = mysql(place.namespace, name, {
            ...(refusedToday[name].spec as { database: string }),
            deletionProtection: true,
          })
          await eventually(`${name} is stored`, () => cluster.apply(manifest), 30)
        }
      } finally {
        await tighten()
      }
      const wrong = mysql(place.namespace, 'wrong', { database: 'mysql' })
      await eventually('the rules of the CRD hold again', async () => (await dryRun(wrong)).code !== 0, 30)
    } finally {
      await putBack()
    }
    return () => closeSpace(place)
  })

  test.each(names)('(%s) gets a status and the finalizer from the operator all the same', async (name) => {
    const found = await condition(place, name, 'Degraded', 'True', 'Invalid', 60)
    expect(found.status?.message).toContain(refusedToday[name].broken)
    expect(found.metadata.finalizers).toContain(finalizer)
  })

  test.each(names)('(%s) can be labelled and annotated, and lose its finalizer', async (name) => {
    expect(await place.attempt('label', 'mysql', name, 'a=b')).toMatchObject({ code: 0 })
    expect(await place.attempt('annotate', 'mysql', name, 'a=b')).toMatchObject({ code: 0 })
    const status = { status: { message: 'by hand' } }
    expect(await patchOf(place, name, status, '--subresource=status')).toMatchObject({ code: 0 })
    expect(await patchOf(place, name, { metadata: { finalizers: null } })).toMatchObject({ code: 0 })
    // It lives, so the operator will have it back.
    await eventually(
      `${name} has its finalizer again`,
      async () => (await place.get(name))?.metadata.finalizers?.includes(finalizer),
      60,
    )
  })

  test.each(names)(
    '(%s) is still not changed into anything that is wrong, with field and remedy',
    async (name) => {
      const { code, stderr } = await patchOf(place, name, { spec: { storage_size: '1Mi' } })
      expect(code).not.toBe(0)
      expect(stderr).toContain('spec.storage_size is less than 256Mi')
      expect(stderr).toContain('ask for 256Mi or more')
    },
  )

  test('can be mended', async () => {
    const mended = { spec: { deletionPolicy: 'Delete', tolerations: null } }
    expect(await patchOf(place, 'a-shape', mended)).toMatchObject({ code: 0 })
    expect(await patchOf(place, 'no-database', { spec: { database: 'shop' } })).toMatchObject({ code: 0 })
  })

  test.each(names)('(%s) can lose its protection, and then goes', async (name) => {
    const refused = await place.attempt('delete', 'mysql', name, '--wait=false')
    expect(refused.stderr).toContain('spec.deletionProtection is true')
    const unprotected = { spec: { deletionProtection: false } }
    expect(await patchOf(place, name, unprotected)).toMatchObject({ code: 0 })
    expect(await place.attempt('delete', 'mysql', name, '--wait=false')).toMatchObject({ code: 0 })
    await gone(place, name)
  })
})

/** Leads the Service of the webhooks nowhere, so that they do not answer; the answer puts it back. */
const cutOff = async (): Promise<() => Promise<void>> => {
  const service = ['-n', release, 'get', 'service', release, '--show-managed-fields', '-o', 'json']
  const { metadata, spec } = JSON.parse(await cluster.kubectl(...service)) as TypedResource & {
    spec: { selector: object }
  }
  const write = async (selector: object) => {
    const operations = [
      { op: 'replace', path: '/spec/selector', value: selector },
      { op: 'replace', path: '/metadata/managedFields', value: metadata.managedFields },
    ]
    await cluster.kubectl(
      '-n',
      release,
      'patch',
      'service',
      release,
      '--type=json',
      '-p',
      JSON.stringify(operations),
    )
  }
  await write({ nobody: 'here' })
  await eventually('the webhooks do not answer', async () => !(await webhooksAnswer()), 60)
  return async () => {
    await write(spec.selector)
    await eventually('the webhooks answer', webhooksAnswer, 60)
  }
}

const webhooksAnswer = async () => {
  const { stderr } = await dryRun(mysql('default', 'probe', { database: 'probe' }))
  if (stderr !== '' && !stderr.includes('Warning') && !stderr.includes('failed calling webhook'))
    throw new Error(`the probe got another answer: ${stderr}`)
  return !stderr.includes('failed calling webhook')
}

const namespaceGone = (namespace: string) =>
  eventually(
    `namespace ${namespace} is gone`,
    async () => (await cluster.kubectl('get', 'namespace', namespace, '--ignore-not-found')) === '',
    180,
  )

describe('A namespace goes with MySQLs in every phase', () => {
  /** One that waits for ever, and so needs no server. */
  const waiting = { database: 'shop', passwordSecretRef: { name: 'nobody-makes-it' } }
  const running = { database: 'shop', password: root.password }

  const fill = async (prefix: string): Promise<Space> => {
    const place = await openSpace(cluster, prefix)
    await place.apply('running', running)
    await place.apply('waiting', waiting)
    await place.apply('kept', { ...waiting, deletionProtection: true })
    await place.apply('unpulled', { ...running, image: 'nowhere.example/mysql:9.7' })
    return place
  }

  /** What is under way at the very moment at which the namespace is deleted. */
  const stir = async (place: Space) => {
    await place.apply('running', { ...running, password: uniquePassword() })
    await place.apply('leaving', running)
    await place.kubectl('delete', 'mysql', 'leaving', 'unpulled', '--wait=false')
    await place.apply('coming', running)
  }

  test('while the webhooks answer, and while they do not', async () => {
    const [answered, unanswered] = await Promise.all([fill('up'), fill('down')])
    try {
      await Promise.all([answered, unanswered].map((place) => ready(place, 'running')))
      await Promise.all([answered, unanswered].map(stir))
      await cluster.kubectl('delete', 'namespace', answered.namespace, '--wait=false')
      const mend = await cutOff()
      try {
        await cluster.kubectl('delete', 'namespace', unanswered.namespace, '--wait=false')
        await namespaceGone(unanswered.namespace)
      } finally {
        await mend()
      }
      await namespaceGone(answered.namespace)
    } finally {
      await Promise.all([answered, unanswered].map(closeSpace))
    }
  })
})

describe('While the webhooks do not answer', () => {
  let place: Space

  beforeAll(async () => {
    place = await openSpace(cluster, 'own')
    await place.apply('stays', { database: 'shop', password: root.password })
    await ready(place, 'stays')
    const mend = await cutOff()
    return async () => {
      // helm has put the Service back, but for a failure before.
      await installOperator(cluster)
      await mend()
      await closeSpace(place)
    }
  })

  test('all replicas of the operator that are deleted come back', async () => {
    const before = await replicas(cluster)
    await cluster.kubectl('-n', release, 'delete', 'pods', ...before.map(({ name }) => name), '--wait=false')
    const uids = new Set(before.map(({ uid }) => uid))
    await eventually('both replicas are new ones', async () => {
      const now = await bothReady(cluster)
      return now.every(({ uid }) => !uids.has(uid))
    })
  })

  test('an administrator changes what the operator owns, its Lease and its Secrets included', async () => {
    const admin = inOperator
    expect(await admin('annotate', 'lease', release, 'a=b', '--overwrite')).toMatchObject({ code: 0 })
    expect(await admin('annotate', 'deployment', release, 'a=b', '--overwrite')).toMatchObject({ code: 0 })
    expect(await admin('annotate', 'secret', `${release}-ca`, 'a=b', '--overwrite')).toMatchObject({
      code: 0,
    })
    const scale = ['scale', 'statefulset', 'stays', '--replicas=0']
    expect(await place.attempt(...scale)).toMatchObject({ code: 0 })
    expect(await place.attempt('delete', 'secret', 'stays-operator')).toMatchObject({ code: 0 })
    expect(await place.attempt('delete', 'networkpolicy', 'stays')).toMatchObject({ code: 0 })
    await eventually('the operator puts them right', async () => {
      const { code } = await place.attempt('get', 'secret/stays-operator', 'networkpolicy/stays')
      return code === 0 && (await query(place, 'stays', root, 'SELECT 1')) === '1'
    })
  })

  test('a MySQL can be deleted, and ends with its dump', async () => {
    expect(await place.attempt('delete', 'mysql', 'stays', '--wait=false')).toMatchObject({ code: 0 })
    await gone(place, 'stays')
  })

  test('helm uninstalls the operator, a MySQL can be deleted, and goes when helm has installed it again', async () => {
    const manifest = mysql(place.namespace, 'left', { database: 'shop', passwordSecretRef: { name: 'none' } })
    await installOperator(cluster)
    await eventually('the webhooks answer again', webhooksAnswer, 60)
    await cluster.apply(manifest)
    await cutOff()
    await cluster.run('helm', ['uninstall', release, '--namespace', release, '--wait', '--timeout', '2m'])
    expect(await place.attempt('delete', 'mysql', 'left', '--wait=false')).toMatchObject({ code: 0 })
    expect((await place.get('left'))?.metadata.finalizers).toContain(finalizer)
    await installOperator(cluster)
    await gone(place, 'left')
  })
})

const inOperator = (...args: string[]) =>
  cluster.run('kubectl', ['-n', release, ...args], { allowFailure: true })
