/** What the webhook sees in the cluster, and says to whoever applies a MySQL. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { release } from '../install.ts'
import {
  closeSpace,
  condition,
  eventually,
  mysql,
  openSpace,
  query,
  ready,
  type Space,
  theCluster,
  uniquePassword,
} from './support.ts'

let place: Space
beforeAll(async () => {
  place = await openSpace(await theCluster(), 'lookups')
})
afterAll(() => closeSpace(place))

const quiet = {
  ...{ resources: { limits: { memory: '1Gi' } }, image: 'mysql:9.7' },
  backup: { schedule: '30 2 * * *' },
}

/** `kubectl apply` of a MySQL: whether it was taken, and what was warned of. */
const applied = async (name: string, spec: Record<string, unknown>, ...options: string[]) => {
  const input = JSON.stringify(mysql(place.namespace, name, { database: 'shop', ...quiet, ...spec }))
  const { code, stderr } = await place.cluster.run('kubectl', ['apply', ...options, '-f', '-'], {
    input,
    allowFailure: true,
  })
  return { taken: code === 0, says: stderr.trim() }
}
const tried = (name: string, spec: Record<string, unknown>) => applied(name, spec, '--dry-run=server')

const put = (kind: string, name: string, rest: object, apiVersion = 'v1') =>
  place.cluster.apply({ apiVersion, kind, metadata: { name, namespace: place.namespace }, ...rest })

describe('A Secret', () => {
  const password = uniquePassword()
  const patch = (body: object) =>
    place.kubectl('patch', 'secret', 'later', '--type=merge', '-p', JSON.stringify(body))
  const waiting = (words: string) =>
    eventually(words, async () => {
      const found = await place.get('shop')
      const one = found?.status?.conditions?.find(({ type }) => type === 'CredentialsReady')
      return one?.status === 'False' && one.reason === 'Waiting' && one.message.includes(words)
    })

  test('that is missing is a warning, then a condition, which heals when Secret and key are there', async () => {
    const { taken, says } = await applied('shop', { passwordSecretRef: { name: 'later', key: 'root' } })
    expect(taken).toBe(true)
    expect(says).toBe(
      'Warning: spec.passwordSecretRef names a Secret that does not exist; the database waits until it does',
    )
    await waiting('Secret later does not exist yet: create it with the key root')
    await place.kubectl('create', 'secret', 'generic', 'later', '--from-literal=other=x')
    expect((await tried('second', { passwordSecretRef: { name: 'later', key: 'root' } })).says).toBe(
      'Warning: spec.passwordSecretRef names a key that its Secret does not have; the database waits until it does',
    )
    await waiting('Secret later has no key root: add it, or name another key')
    await patch({ stringData: { root: password } })
    await ready(place, 'shop')
    await condition(place, 'shop', 'CredentialsReady', 'True')
    expect(await query(place, 'shop', { user: 'root', password }, 'SELECT 1')).toBe('1')
  })

  test('and after that the version that runs is what there is to go back from, whatever the tag says', async () => {
    const found = await place.get('shop')
    expect(found?.status?.version).toMatch(/^9\.7\./)
    const spec = { passwordSecretRef: { name: 'later', key: 'root' } }
    // Nobody can read a version out of this tag, nor pull it.
    expect((await applied('shop', { ...spec, image: 'mysql:no-version' })).taken).toBe(true)
    const back = await tried('shop', { ...spec, image: 'mysql:8.4' })
    expect(back.taken).toBe(false)
    expect(back.says).toContain('spec.image: ')
    expect(back.says).toContain('older than the image before, and MySQL cannot go back')
  })

  test('and the same holds for a series that would be skipped', async () => {
    // No such server is at hand, so its status is written by hand; no pod says otherwise.
    const spec = { nodeSelector: { 'example.com/nowhere': 'true' } }
    expect((await applied('old', { ...spec, image: 'mysql:no-version' })).taken).toBe(true)
    const status = JSON.stringify({ status: { version: '8.0.33' } })
    await place.kubectl('patch', 'mysql', 'old', '--subresource=status', '--type=merge', '-p', status)
    expect((await tried('old', { ...spec, image: 'mysql:9.7' })).says).toContain('skips a long-term series')
    expect((await tried('old', { ...spec, image: 'mysql:8.4' })).taken).toBe(true)
  })
})

describe('What is in the way of a new MySQL is a warning:', () => {
  const generated = {}

  test('objects of somebody else with its names', async () => {
    await put('Service', 'blog', { spec: { ports: [{ port: 80 }] } })
    await put('ConfigMap', 'blog-config', {})
    await put('PersistentVolumeClaim', 'backup-blog-pvc', {
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
    })
    const { taken, says } = await tried('blog', generated)
    expect(taken, says).toBe(true)
    const lines = says.split('\n').map((line) => line.slice(0, line.indexOf(' exists')))
    expect(lines.toSorted()).toEqual([
      'Warning: ConfigMap blog-config',
      'Warning: PersistentVolumeClaim backup-blog-pvc',
      'Warning: Service blog',
    ])
  })

  test('a ResourceQuota without room, until it has some', async () => {
    const quota = (storage: string) =>
      put('ResourceQuota', 'small', { spec: { hard: { 'requests.storage': storage } } })
    await quota('3Gi')
    await eventually('the quota is counted', async () => {
      const used = await place.kubectl('get', 'resourcequota', 'small', '-o', 'jsonpath={.status.used}')
      return /"requests\.storage":"[1-9]/.test(used)
    })
    const { taken, says } = await tried('wiki', generated)
    expect(taken, says).toBe(true)
    expect(says).toMatch(/^Warning: a ResourceQuota leaves no room for requests\.storage of a new MySQL/)
    await quota('20Gi')
    expect(await tried('wiki', generated)).toEqual({ taken: true, says: '' })
  })
})

describe('A StorageClass', () => {
  const classes = { fixed: `${release}-fixed`, growing: `${release}-growing` }
  const mentions = 'spec.storageClassName'
  beforeAll(async () => {
    for (const [name, allowVolumeExpansion] of [
      [classes.fixed, false],
      [classes.growing, true],
    ] as const) {
      const provisioner = 'example.com/none'
      const object = { apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', metadata: { name } }
      await place.cluster.apply({ ...object, provisioner, allowVolumeExpansion })
    }
  })
  afterAll(() => place.kubectl('delete', 'storageclass', ...Object.values(classes)))

  test('that cannot expand volumes is a warning, one that can is not', async () => {
    expect(await tried('wiki', { storageClassName: classes.growing })).toEqual({ taken: true, says: '' })
    const { taken, says } = await tried('wiki', { storageClassName: classes.fixed })
    expect([taken, says]).toEqual([true, expect.stringContaining(`${mentions} names a class whose volumes`)])
  })

  test('that the operator may not look up is a warning, and no refusal', async () => {
    const role = JSON.parse(
      await place.kubectl('get', 'clusterrole', release, '-o', 'json', '--show-managed-fields'),
    )
    const index = role.rules.findIndex(({ resources }: { resources: string[] }) =>
      resources.includes('storageclasses'),
    )
    expect(index).toBeGreaterThanOrEqual(0)
    const change = (...operations: object[]) =>
      place.kubectl('patch', 'clusterrole', release, '--type=json', '-p', JSON.stringify(operations))
    await change({ op: 'remove', path: `/rules/${index}` })
    try {
      const said = await eventually('the right is gone', async () => {
        const answer = await tried('wiki', { storageClassName: 'no-such-class' })
        return answer.taken && answer
      })
      expect(said.says).toContain(`Warning: ${mentions} could not be looked up`)
    } finally {
      await change({ op: 'replace', path: '/rules', value: role.rules })
      // Or helm could not change the rules any more: they would be this test's.
      await change({ op: 'replace', path: '/metadata/managedFields', value: role.metadata.managedFields })
    }
    await eventually(
      'the right is back',
      async () => !(await tried('wiki', { storageClassName: 'no-such-class' })).taken,
    )
  })
})
