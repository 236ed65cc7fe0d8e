/** What the API server itself holds people and the operator to, on the installed chart. */
import { beforeAll, describe, expect, test } from 'vitest'
import { labels, manager, secretTypes } from '../../../src/api/names.ts'
import type { Cluster } from '../access.ts'
import { installOperator, release } from '../install.ts'
import { eventually, gone, mysql, type Space, space, theCluster } from '../stories/support.ts'

let cluster: Cluster

beforeAll(async () => {
  cluster = await theCluster()
})

/** kubectl with the operator's own rights; what it wrote on either output. */
const asOperator = async (args: string[], input?: object) => {
  const impersonated = [`--as=system:serviceaccount:${release}:${release}`, ...args]
  const { code, stdout, stderr } = await cluster.run('kubectl', impersonated, {
    allowFailure: true,
    ...(input === undefined ? {} : { input: JSON.stringify(input) }),
  })
  return code === 0 ? `done: ${stdout}` : stderr
}

/** Whether the API server would take it from the operator; nothing is stored. */
const create = (object: object) => asOperator(['create', '--dry-run=server', '-f', '-'], object)

/** A database that no node takes: what is tried here needs no server. */
const idle = { nodeSelector: { [`policies.${release}`]: 'none' }, deletionPolicy: 'Delete' }

const ours = { [labels.managedBy]: manager }

const secret = (namespace: string, name: string, type: string, marks: Record<string, string> = ours) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { namespace, name, labels: marks },
  type,
})

const configMap = (namespace: string, name: string, marks: Record<string, string> = ours) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { namespace, name, labels: marks },
})

const claim = (namespace: string, name: string) => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { namespace, name, labels: ours },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
})

const unprivileged = {
  allowPrivilegeEscalation: false,
  runAsNonRoot: true,
  capabilities: { drop: ['ALL'] },
}

/** A Job that meets Pod Security restricted, with `pod` laid over its pod. */
const job = (namespace: string, pod: object = {}) => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { namespace, name: 'probe', labels: ours },
  spec: {
    template: {
      spec: {
        automountServiceAccountToken: false,
        restartPolicy: 'Never',
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
        containers: [{ name: 'probe', image: 'none', securityContext: unprivileged }],
        ...pod,
      },
    },
  },
})

describe("the operator's own writes", () => {
  const ownSecrets = 'creates and deletes only Secrets of its own types'

  test('of Secrets: only of its own types, with its own label, and not into kube-system', async () => {
    const { namespace } = await space(cluster, 'policies')
    for (const type of Object.values(secretTypes)) {
      expect(await create(secret(namespace, 'one', type))).toMatch(/^done/)
    }
    expect(await create(secret(namespace, 'one', 'Opaque'))).toContain(ownSecrets)
    // With such a Secret the API server would hand out a token of any account of the namespace.
    const token = secret(namespace, 'one', 'kubernetes.io/service-account-token')
    const annotations = { 'kubernetes.io/service-account.name': 'default' }
    expect(await create({ ...token, metadata: { ...token.metadata, annotations } })).toContain(ownSecrets)
    expect(await create(secret(namespace, 'one', secretTypes.passwordHash, {}))).toContain(ownSecrets)
    expect(await create(secret('kube-system', 'one', secretTypes.passwordHash))).toContain(ownSecrets)
  })

  test('of Secrets in its own namespace: only the key and the CA, and it deletes neither', async () => {
    const refusal = 'writes only its key and its CA, and deletes nothing'
    expect(await create(secret(release, 'another', secretTypes.passwordHash))).toContain(refusal)
    const dryRun = ['-n', release, '--dry-run=server']
    expect(await asOperator([...dryRun, 'delete', 'secret', `${release}-key`])).toContain(refusal)
    expect(await asOperator([...dryRun, 'label', 'secret', `${release}-ca`, 'policies=tried'])).toMatch(
      /^done/,
    )
  })

  test('never delete a Secret of somebody else, nor change or list any', async () => {
    const { namespace, kubectl } = await space(cluster, 'policies')
    await kubectl('create', 'secret', 'generic', 'theirs', '--from-literal=password=x')
    const inIt = ['-n', namespace]
    expect(await asOperator([...inIt, 'delete', 'secret', 'theirs'])).toContain(ownSecrets)
    expect(await asOperator([...inIt, 'label', 'secret', 'theirs', 'a=b'])).toContain('cannot patch')
    expect(await asOperator([...inIt, 'get', 'secrets'])).toContain('cannot list')
  })

  test('of other objects: only those with its label, and not into kube-system nor beside itself', async () => {
    const { namespace, kubectl } = await space(cluster, 'policies')
    await kubectl('create', 'configmap', 'theirs')
    const inIt = ['-n', namespace]
    const refusal = 'writes only objects labelled'
    expect(await create(configMap(namespace, 'one'))).toMatch(/^done/)
    expect(await create(configMap(namespace, 'one', {}))).toContain(refusal)
    expect(await asOperator([...inIt, 'label', 'configmap', 'theirs', `${labels.managedBy}=${manager}`]))
      // Taking it over first would be the way around.
      .toContain(refusal)
    expect(await asOperator([...inIt, 'delete', 'configmap', 'theirs'])).toContain(refusal)
    for (const closed of [release, 'kube-system']) {
      expect(await create(configMap(closed, 'one'))).toContain('makes no objects of databases')
    }
  })

  test('of Services: none that could catch traffic of others', async () => {
    const { namespace } = await space(cluster, 'policies')
    const service = (spec: object) => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { namespace, name: 'one', labels: ours },
      spec: { ports: [{ port: 3306 }], ...spec },
    })
    expect(await create(service({}))).toMatch(/^done/)
    for (const spec of [
      { externalIPs: ['192.0.2.1'] },
      { type: 'LoadBalancer' },
      { type: 'ExternalName', externalName: 'example.com' },
    ]) {
      expect(await create(service(spec))).toContain('Services of type ClusterIP only')
    }
    // A person's own change is not the operator's, and must not keep it from its part.
    await cluster.apply(service({ type: 'NodePort' }))
    const label = ['-n', namespace, 'label', '--dry-run=server', 'service', 'one', 'a=b']
    expect(await asOperator(label)).toMatch(/^done/)
  })

  test('of NetworkPolicies: none about the pods of others', async () => {
    const { namespace } = await space(cluster, 'policies')
    const policy = (podSelector: object) => ({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { namespace, name: 'shop', labels: ours },
      spec: { podSelector, policyTypes: ['Ingress'] },
    })
    const of = (instance: string) => policy({ matchLabels: { [labels.instance]: instance } })
    expect(await create(of('shop'))).toMatch(/^done/)
    for (const other of [policy({}), of('others')]) {
      expect(await create(other)).toContain('for the pods of one MySQL only')
    }
  })

  test('of claims: it deletes those of data, never those of backups', async () => {
    const { namespace } = await space(cluster, 'policies')
    for (const name of ['one-pvc', 'backup-one-pvc']) {
      expect(await asOperator(['create', '-f', '-'], claim(namespace, name))).toMatch(/^done/)
    }
    const remove = (name: string) => asOperator(['-n', namespace, 'delete', '--wait=false', 'pvc', name])
    expect(await remove('one-pvc')).toMatch(/^done/)
    expect(await remove('backup-one-pvc')).toContain('never deletes a claim with backups')
  })

  test('of pods in Jobs: none with a token, another account, or a part of the node', async () => {
    const { namespace } = await space(cluster, 'policies')
    expect(await create(job(namespace))).toMatch(/^done/)
    const mount = (source: object) => ({ volumes: [{ name: 'one', ...source }] })
    const token = { projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } }
    for (const pod of [
      { automountServiceAccountToken: undefined },
      { serviceAccountName: 'admin' },
      mount(token),
    ]) {
      expect(await create(job(namespace, pod))).toContain('carry no service-account token')
    }
    for (const pod of [{ hostNetwork: true }, { hostPID: true }, mount({ hostPath: { path: '/' } })]) {
      expect(await create(job(namespace, pod))).toContain('touch nothing of the node')
    }
    const harmless = { projected: { sources: [{ configMap: { name: 'one' } }] } }
    expect(await create(job(namespace, mount(harmless)))).toMatch(/^done/)
  })

  test('of containers in Jobs, also those that come first: none with a privilege', async () => {
    // Pod Security looks at pods, the policy already at what makes them.
    const { namespace } = await space(cluster, 'policies')
    for (const more of [
      { privileged: true, allowPrivilegeEscalation: undefined },
      { allowPrivilegeEscalation: undefined },
      { allowPrivilegeEscalation: true },
      { capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] } },
      { runAsNonRoot: undefined },
      { procMount: 'Unmasked' },
    ]) {
      const containers = [{ name: 'one', image: 'none', securityContext: { ...unprivileged, ...more } }]
      // In a user namespace of its own: without one the API server itself refuses an unmasked /proc.
      const wanted = await create(job(namespace, { hostUsers: false, containers }))
      expect(wanted).toContain('have no privileges')
      const first = await create(job(namespace, { hostUsers: false, initContainers: containers }))
      expect(first).toContain('have no privileges')
    }
  })

  test('of a StatefulSet of somebody else: none, not even to make it its own', async () => {
    const { namespace } = await space(cluster, 'policies')
    // Nothing else may be wrong with it: of several refusals the API server names any.
    const pod = {
      automountServiceAccountToken: false,
      containers: [{ name: 'one', image: 'none', securityContext: unprivileged }],
    }
    await cluster.apply({
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { namespace, name: 'theirs' },
      spec: {
        replicas: 0,
        selector: { matchLabels: { app: 'theirs' } },
        template: { metadata: { labels: { app: 'theirs' } }, spec: pod },
      },
    })
    const refusal = 'writes only objects labelled'
    const inIt = ['-n', namespace]
    const patch = (body: object) =>
      asOperator([...inIt, 'patch', 'statefulset', 'theirs', '--type=merge', '-p', JSON.stringify(body)])
    expect(await patch({ spec: { replicas: 1 } })).toContain(refusal)
    expect(await patch({ metadata: { labels: ours } })).toContain(refusal)
    expect(await asOperator([...inIt, 'delete', 'statefulset', 'theirs'])).toContain(refusal)
  })

  test('of rights, pods and tokens: none at all', async () => {
    const { namespace } = await space(cluster, 'policies')
    const inIt = ['-n', namespace]
    const account = `--serviceaccount=${release}:${release}`
    for (const args of [
      ['create', 'clusterrolebinding', 'mine', '--clusterrole=cluster-admin', account],
      [...inIt, 'create', 'rolebinding', 'mine', '--clusterrole=admin', account],
      [...inIt, 'create', 'role', 'mine', '--verb=get', '--resource=secrets'],
      ['patch', 'clusterrole', release, '--type=merge', '-p', '{"rules":[]}'],
      ['patch', 'validatingadmissionpolicybinding', `${release}-own-secrets`, '--type=merge', '-p', '{}'],
      [...inIt, 'run', 'mine', '--image=none'],
      [...inIt, 'create', 'token', 'default'],
      [...inIt, 'get', 'secrets'],
      ['get', 'secrets', '-A'],
    ]) {
      expect([args.join(' '), await asOperator(args)]).toEqual([
        args.join(' '),
        expect.stringMatching(/forbidden|cannot/),
      ])
    }
  })

  test('of a MySQL: marks, never the spec', async () => {
    const place = await space(cluster, 'policies')
    await place.apply('one', { ...idle, database: 'one' })
    const patch = (body: object) =>
      asOperator(['-n', place.namespace, 'patch', 'mysql', 'one', '--type=merge', '-p', JSON.stringify(body)])
    expect(await patch({ spec: { nodeSelector: null } })).toContain('never writes the spec')
    expect(await patch({ metadata: { annotations: { note: 'x' } } })).toMatch(/^done/)
  })
})

describe('people', () => {
  const refused = (place: Space, name: string) => place.attempt('delete', 'mysql', name, '--wait=false')

  test('cannot delete a protected MySQL, and are told how they could', async () => {
    const place = await space(cluster, 'policies')
    await place.apply('kept', { ...idle, database: 'kept', deletionProtection: true })
    const { stderr } = await refused(place, 'kept')
    expect(stderr).toContain('spec.deletionProtection is true')
    const [, way = ''] = stderr.match(/first run: kubectl (.*)/) ?? []
    expect(way).toContain(`-n ${place.namespace} patch mysql kept`)
    // As a person would: the command is copied from the message into a shell.
    await cluster.run('sh', ['-c', `kubectl ${way}`])
    expect((await refused(place, 'kept')).code).toBe(0)
    await gone(place, 'kept')
  })

  test('can delete a namespace with a protected MySQL in it', async () => {
    const place = await space(cluster, 'policies')
    await place.apply('kept', { ...idle, database: 'kept', deletionProtection: true })
    await cluster.kubectl('delete', 'namespace', place.namespace, '--wait=false')
    await eventually(`namespace ${place.namespace} is gone`, async () => {
      const found = await cluster.kubectl('get', 'namespace', place.namespace, '--ignore-not-found')
      return found === ''
    })
  })

  test('who may not read Secrets cannot put those of the operator there, other ones they can', async () => {
    const { namespace, kubectl } = await space(cluster, 'policies')
    await kubectl('create', 'role', 'maker', '--verb=create', '--resource=secrets')
    await kubectl('create', 'rolebinding', 'maker', '--role=maker', '--user=maker')
    const dryRun = ['create', '--dry-run=server', '-f', '-']
    const attempt = async (type: string, ...as: string[]) => {
      const input = JSON.stringify(secret(namespace, 'one-operator', type))
      const { code, stderr } = await cluster.run('kubectl', [...as, ...dryRun], { input, allowFailure: true })
      return code === 0 ? 'done' : stderr
    }
    for (const type of Object.values(secretTypes)) {
      await eventually(`${type} is refused`, async () => {
        const said = await attempt(type, '--as=maker')
        return said.includes('Only the operator makes Secrets of its types')
      })
      // A restore of the cluster.
      expect(await attempt(type)).toBe('done')
    }
    expect(await attempt('Opaque', '--as=maker')).toBe('done')
  })

  test.each([release, 'kube-system'])('cannot put a MySQL into the namespace %s', async (namespace) => {
    await expect(cluster.apply(mysql(namespace, 'one', { database: 'one' }))).rejects.toThrow(
      /neither in the operator's own namespace nor in kube-system/,
    )
  })

  test('who may edit a namespace may make databases in it, who may view it sees them', async () => {
    const { kubectl, attempt } = await space(cluster, 'policies')
    for (const role of ['edit', 'view']) {
      await kubectl('create', 'rolebinding', role, `--clusterrole=${role}`, `--user=${role}or`)
    }
    // The controller that puts ClusterRoles together takes a moment.
    const may = (user: string, verb: string) =>
      attempt('auth', 'can-i', verb, 'mysqls', `--as=${user}`).then(({ stdout }) => stdout.trim())
    await eventually('editors create', async () => (await may('editor', 'create')) === 'yes', 30)
    await eventually('viewers list', async () => (await may('viewor', 'list')) === 'yes', 30)
    expect(await may('viewor', 'create')).toBe('no')
  })
})

describe('an upgrade of the chart', () => {
  const bundles = () =>
    cluster.kubectl(
      ...['get', 'mutatingwebhookconfiguration,validatingwebhookconfiguration', release],
      ...['-o', 'jsonpath={.items[*].webhooks[*].clientConfig.caBundle}'],
    )

  test('leaves the CA in the webhooks, which only the operator knows', async () => {
    const before = await eventually('both have a CA', async () => {
      const found = await bundles()
      return found.split(' ').filter(Boolean).length === 2 && found
    })
    await installOperator(cluster)
    expect(await bundles()).toBe(before)
    // Once more: now helm itself has applied it, and must not mind what the operator writes next.
    await installOperator(cluster)
    expect(await bundles()).toBe(before)
  })
})
