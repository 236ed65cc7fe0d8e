/** The first operator was cluster-admin. What this one may do, as the API server itself lists it. */
import { beforeAll, describe, expect, test } from 'vitest'
import type { Cluster } from '../access.ts'
import { release } from '../install.ts'
import { actualRights, documentedRights } from '../rightsTable.ts'
import { theCluster } from './support.ts'

const operator = `system:serviceaccount:${release}:${release}`

let cluster: Cluster
beforeAll(async () => {
  cluster = await theCluster()
})

const may = async (verb: string, resource: string, ...options: string[]) => {
  const [object = '', subresource] = resource.split('/')
  const part = subresource === undefined ? [] : [`--subresource=${subresource}`]
  const args = ['auth', 'can-i', verb, object, ...part, `--as=${operator}`, ...options]
  return (await cluster.run('kubectl', args, { allowFailure: true })).stdout.trim() === 'yes'
}

/** An account without any binding: what it may do, everybody may. */
const nobody = 'system:serviceaccount:default:nobody'

describe.each([
  ['default', ['databases', 'cluster']],
  ['kube-system', ['databases', 'cluster']],
  [release, ['databases', 'cluster', 'own namespace']],
])('In namespace %s the operator', (namespace, places) => {
  test('has the rights that docs/security.md gives reasons for, and no other', async () => {
    const everybodys = await actualRights(cluster, nobody, namespace)
    const all = Object.entries(await actualRights(cluster, operator, namespace))
    const actual = all.filter(([resource, verbs]) => everybodys[resource] !== verbs)
    expect(actual.length).toBeGreaterThan(15)
    expect(Object.fromEntries(actual)).toEqual(documentedRights(...places))
  })
})

test('The operator cannot become more than it is', async () => {
  const never = [
    ['create', 'clusterrolebindings'],
    ['create', 'rolebindings'],
    ['bind', 'clusterroles'],
    ['escalate', 'roles'],
    ['impersonate', 'users'],
    ['impersonate', 'serviceaccounts'],
    ['list', 'secrets'],
    ['watch', 'secrets'],
    ['update', 'secrets'],
    ['update', 'mysqls.otus.homework/finalizers'],
    ['create', 'serviceaccounts/token'],
    ['create', 'pods/exec'],
    ['create', 'pods'],
    ['delete', 'persistentvolumes'],
    ['delete', 'namespaces'],
    ['get', 'nodes'],
    ['delete', 'mysqls.otus.homework'],
    ['update', 'mutatingwebhookconfigurations'],
  ] as const
  for (const [verb, resource] of never)
    expect([verb, resource, await may(verb, resource, '-A')]).toEqual([verb, resource, false])
  // The question itself can be answered with yes.
  expect(await may('create', 'jobs.batch', '-A')).toBe(true)
})

test('Each replica has probes, limits and no right that its container does not need', async () => {
  const text = await cluster.kubectl('-n', release, 'get', 'deployment', release, '-o', 'json')
  const { spec } = JSON.parse(text) as {
    spec: { replicas: number; template: { spec: { containers: object[] } } }
  }
  expect(spec.replicas).toBe(2)
  expect(spec.template.spec.containers).toEqual([
    expect.objectContaining({
      startupProbe: expect.objectContaining({ httpGet: expect.objectContaining({ path: '/livez' }) }),
      livenessProbe: expect.objectContaining({ httpGet: expect.objectContaining({ path: '/livez' }) }),
      readinessProbe: expect.objectContaining({ httpGet: expect.objectContaining({ path: '/readyz' }) }),
      resources: expect.objectContaining({ limits: { memory: expect.any(String) } }),
      securityContext: {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      },
    }),
  ])
})
