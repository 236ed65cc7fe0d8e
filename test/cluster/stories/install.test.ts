/** The operator as `helm install` leaves it: two replicas that answer over HTTPS, one of which reconciles. */
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { Cluster } from '../access.ts'
import { installOperator, release } from '../install.ts'
import { type Answer, reach } from './https.ts'
import { bothReady, leadership, type Replica, replicas } from './replicas.ts'
import { inNamespace, mysql, type Space, space, theCluster, uniquePassword } from './support.ts'

let cluster: Cluster
let operator: Space

beforeAll(async () => {
  cluster = await theCluster()
  operator = inNamespace(cluster, release)
})

const json = async <T>(...args: string[]): Promise<T> =>
  JSON.parse(await operator.kubectl('get', ...args, '-o', 'json')) as T

/** GET requests to one replica until the test ends. */
const gets = async (replica: Replica, authority?: string): Promise<(path: string) => Promise<Answer>> => {
  const { send, close } = await reach(cluster, replica, authority)
  onTestFinished(close)
  return (path) => send({ method: 'GET', path })
}

describe('After helm install', () => {
  it('two replicas are ready in a namespace that enforces Pod Security restricted', async () => {
    const { metadata } = await json<{ metadata: { labels: Record<string, string> } }>('namespace', release)
    expect(metadata.labels['pod-security.kubernetes.io/enforce']).toBe('restricted')
    expect((await replicas(cluster)).map(({ ready }) => ready)).toEqual([true, true])
  })

  it('exactly one of them holds the Lease, and the metrics of both say so', async () => {
    const { leader, other } = await leadership(cluster)
    const leads = async (replica: Replica) => {
      const { body } = await (await gets(replica))('/metrics')
      return /^mysql_operator_leader (\d)$/m.exec(String(body))?.[1]
    }
    expect({ leader: await leads(leader), other: await leads(other) }).toEqual({ leader: '1', other: '0' })
  })

  it('each replica answers its probes and metrics over HTTPS with a certificate of the CA that the webhooks name', async () => {
    for (const replica of await bothReady(cluster)) {
      const get = await gets(replica)
      for (const path of ['/healthz', '/livez', '/readyz']) {
        expect(await get(path)).toEqual({ code: 200, body: 'ok\n' })
      }
      const { code, body } = await get('/readyz?verbose')
      expect(code).toBe(200)
      expect(body).toMatch(/^(\[\+\]\S+ ok(: .*)?\n)+ok\n$/)
      expect(body).toMatch(/^\[\+\]certificate ok: until 20.*Z, its authority until 20.*Z$/m)
      const metrics = await get('/metrics')
      expect(metrics.code).toBe(200)
      expect(metrics.body).toMatch(/^process_resident_memory_bytes \d+/m)
      // Both are valid for more than a day.
      for (const what of ['certificate', 'authority']) {
        const end = new RegExp(`^mysql_operator_${what}_expiry_seconds (\\d+)$`, 'm').exec(
          String(metrics.body),
        )?.[1]
        expect(Number(end)).toBeGreaterThan(Date.now() / 1000 + 86_400)
      }
      expect(metrics.body).toMatch(/^# EOF\n$/m)
    }
  })

  it('no other CA is good for its certificate', async () => {
    const [replica] = await bothReady(cluster)
    const { data } = await json<{ data: Record<string, string> }>('configmap', 'kube-root-ca.crt')
    const get = await gets(replica as Replica, data['ca.crt'])
    await expect(get('/livez')).rejects.toThrow('UNABLE_TO_VERIFY_LEAF_SIGNATURE')
  })

  it('the API server reaches both webhooks through the Service', async () => {
    const place = await space(cluster, 'install')
    const password = uniquePassword()
    const create = (spec: { database: string } & Record<string, unknown>) =>
      cluster.run('kubectl', ['create', '--dry-run=server', '-o', 'yaml', '-f', '-'], {
        input: JSON.stringify(mysql(place.namespace, 'shop', spec)),
        allowFailure: true,
      })
    const made = await create({ database: 'shop', password })
    expect(made.code, made.stderr).toBe(0)
    expect(made.stdout).toMatch(/passwordSecretRef:\n\s+key: password\n\s+name: shop-root-/)
    expect(made.stdout).not.toContain(password)
    // Only the second webhook looks at the cluster's StorageClasses.
    const refused = await create({ database: 'shop', password, storageClassName: 'no-such-class' })
    expect(refused).toMatchObject({ code: 1 })
    expect(refused.stderr).toContain('spec.storageClassName: names a StorageClass that does not exist')
    expect(refused.stderr).not.toContain(password)
  })
})

/** Of every object of the release: the number that grows with each change of what was asked for. */
const versions = async (): Promise<Record<string, string>> => {
  const { stdout } = await cluster.run('helm', ['-n', release, 'get', 'manifest', release])
  const list = await cluster.run('kubectl', ['get', '-f', '-', '-o', 'json'], { input: stdout })
  const { items } = JSON.parse(list.stdout) as {
    items: { kind: string; metadata: { name: string; resourceVersion: string; generation?: number } }[]
  }
  return Object.fromEntries(
    items.map(({ kind, metadata }) => [
      `${kind} ${metadata.name}`,
      metadata.generation === undefined
        ? `version ${metadata.resourceVersion}`
        : `generation ${metadata.generation}`,
    ]),
  )
}

/** The CA that the API server trusts for these webhooks. */
const bundle = (kind: 'mutating' | 'validating') => {
  const path = 'jsonpath={.webhooks[0].clientConfig.caBundle}'
  return operator.kubectl('get', `${kind}webhookconfiguration`, release, '-o', path)
}

const state = async () => ({
  objects: await versions(),
  replicaSets: await operator.kubectl('get', 'replicasets', '-o', 'name'),
  replicas: (await replicas(cluster)).map(({ uid }) => uid).sort(),
  bundles: [await bundle('mutating'), await bundle('validating')],
  key: await operator.kubectl('get', 'secret', `${release}-key`, '-o', 'jsonpath={.metadata}'),
  authority: await operator.kubectl('get', 'secret', `${release}-ca`, '-o', 'jsonpath={.metadata}'),
})

/** The one value that could differ by now, when somebody works on the sources while the stories run. */
const installedSources = async () => {
  const { stdout } = await cluster.run('helm', ['-n', release, 'get', 'values', release, '-o', 'json'])
  return (JSON.parse(stdout) as { podAnnotations: { sources: string } }).podAnnotations.sources
}

describe('helm upgrade with the same values', () => {
  it('changes nothing: no object, no replica, no certificate authority, no key', async () => {
    const history = async () => (await cluster.run('helm', ['-n', release, 'history', release])).stdout
    const before = await state()
    const upgrades = await history()
    expect(Object.keys(before.objects).length).toBeGreaterThan(15)
    expect(before.bundles[0]).not.toBe('')
    expect(before.bundles[1]).toBe(before.bundles[0])
    await installOperator(cluster, { 'podAnnotations.sources': await installedSources() })
    expect(await history(), 'helm did upgrade').not.toBe(upgrades)
    expect(await state()).toEqual(before)
    expect((await bothReady(cluster)).map(({ uid }) => uid).sort()).toEqual(before.replicas)
  })
})
