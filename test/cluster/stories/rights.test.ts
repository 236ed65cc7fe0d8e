/** The first operator was cluster-admin. What this one may do, as the API server itself lists it. */
import { beforeAll, describe, expect, test } from 'vitest'
import type { Cluster } from '../access.ts'
import { release } from '../install.ts'
import { theCluster } from './support.ts'

const operator = `system:serviceaccount:${release}:${release}`

interface Rule {
  apiGroups?: string[]
  resources?: string[]
  resourceNames?: string[]
  verbs: string[]
}

let cluster: Cluster
beforeAll(async () => {
  cluster = await theCluster()
})

/** All rules that hold for a subject in a namespace, from whatever role. */
const rulesOf = async (subject: string, namespace: string): Promise<Rule[]> => {
  const review = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectRulesReview',
    spec: { namespace },
  }
  const args = ['create', '--validate=false', '-f', '-', '-o', 'json', `--as=${subject}`]
  const { stdout } = await cluster.run('kubectl', args, { input: JSON.stringify(review) })
  return (JSON.parse(stdout) as { status: { resourceRules: Rule[] } }).status.resourceRules
}

const may = async (verb: string, resource: string, ...options: string[]) => {
  const args = ['auth', 'can-i', verb, resource, `--as=${operator}`, ...options]
  return (await cluster.run('kubectl', args, { allowFailure: true })).stdout.trim() === 'yes'
}

const hasWildcard = ({ apiGroups = [], resources = [], verbs }: Rule) =>
  [...apiGroups, ...resources, ...verbs].some((word) => word.includes('*'))

describe.each(['default', release, 'kube-system'])('In namespace %s the operator', (namespace) => {
  test('has no right with a wildcard', async () => {
    const rules = await rulesOf(operator, namespace)
    expect(rules.length).toBeGreaterThan(5)
    expect(rules.filter(hasWildcard)).toEqual([])
    expect((await rulesOf('kubernetes-admin', namespace)).some(hasWildcard)).toBe(false)
  })

  test('cannot list, watch or change Secrets that it does not know by name', async () => {
    const rules = (await rulesOf(operator, namespace)).filter(({ resources }) =>
      resources?.includes('secrets'),
    )
    const anyName = rules
      .filter(({ resourceNames = [] }) => resourceNames.length === 0)
      .flatMap(({ verbs }) => verbs)
    expect([...new Set(anyName)].sort()).toEqual(['create', 'delete', 'get'])
    expect(rules.flatMap(({ verbs }) => verbs)).not.toContain('list')
    expect(rules.flatMap(({ verbs }) => verbs)).not.toContain('watch')
  })
})

test('The operator cannot become more than it is', async () => {
  const never = [
    ['create', 'clusterrolebindings'],
    ['bind', 'clusterroles'],
    ['escalate', 'roles'],
    ['impersonate', 'users'],
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
