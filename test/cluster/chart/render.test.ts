import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { readConfig } from '../../../src/config.ts'
import { find, namespace, type Rendered, type Rule, release, render } from './render.ts'

let byDefault: Rendered[]
let everything: Rendered[]

beforeAll(async () => {
  byDefault = await render()
  everything = await render({
    watchNamespaces: ['shop', 'blog'],
    'metrics.protected': true,
    'certManager.enabled': true,
    'networkPolicy.apiServerCIDRs': ['10.0.0.0/28'],
    'networkPolicy.metricsNamespaces': ['monitoring'],
    generatedPasswordLength: 40,
    priorityClassName: 'system-cluster-critical',
    imagePullSecrets: [{ name: 'registry' }],
    podLabels: { team: 'data' },
    podAnnotations: { note: 'x' },
    nodeSelector: { disk: 'ssd' },
    tolerations: [{ operator: 'Exists' }],
    affinity: { nodeAffinity: {} },
  })
})

const rulesOf = (objects: Rendered[]) =>
  objects.flatMap(({ kind, metadata, rules = [] }) => rules.map((rule) => ({ kind, metadata, ...rule })))

const podOf = (objects: Rendered[]) => find(objects, 'Deployment').spec.template

describe('rights', () => {
  test('are never a wildcard, nor escalate, bind or impersonate', () => {
    for (const { verbs, apiGroups = [], resources = [], nonResourceURLs = [] } of [
      ...rulesOf(byDefault),
      ...rulesOf(everything),
    ]) {
      const all = [...verbs, ...apiGroups, ...resources, ...nonResourceURLs]
      expect(all.filter((one) => /\*|^(escalate|bind|impersonate)$/.test(one))).toEqual([])
    }
  })

  test('on Secrets: none is listed, watched or changed, but for the two by name in its own namespace', () => {
    const onSecrets = (objects: Rendered[]) =>
      rulesOf(objects)
        .filter(({ resources }) => resources?.includes('secrets'))
        .map(({ kind, metadata, resourceNames = [], verbs }) => ({
          where: kind === 'Role' ? metadata.namespace : 'everywhere',
          resourceNames,
          verbs,
        }))
    const own = [
      { where: namespace, resourceNames: [], verbs: ['create'] },
      { where: namespace, resourceNames: [`${release}-key`, `${release}-ca`], verbs: ['get', 'patch'] },
    ]
    const theirs = (where: string) => ({ where, resourceNames: [], verbs: ['get', 'create', 'delete'] })
    expect(onSecrets(byDefault)).toEqual([theirs('everywhere'), ...own])
    expect(onSecrets(everything)).toEqual([theirs('shop'), theirs('blog'), ...own])
  })

  test('with watchNamespaces: cluster-wide is only what has no namespace, and the namespaces themselves', () => {
    const wide = (find(everything, 'ClusterRole').rules ?? []).flatMap(({ resources = [] }) => resources)
    expect(wide.toSorted()).toEqual(['namespaces', 'storageclasses', 'subjectaccessreviews', 'tokenreviews'])
    const namespaces = (rule: Rule) => rule.resources?.includes('namespaces')
    expect(find(everything, 'ClusterRole').rules?.find(namespaces)?.resourceNames).toEqual(['shop', 'blog'])
  })

  test('on webhook configurations: its own two by name, and none where cert-manager keeps the CA', () => {
    const on = (objects: Rendered[]) =>
      rulesOf(objects).filter((rule) => rule.apiGroups?.includes('admissionregistration.k8s.io'))
    const verbs = ['get', 'list', 'watch', 'patch']
    expect(on(byDefault)).toMatchObject([{ resourceNames: [release], verbs }])
    expect(on(everything)).toEqual([])
  })

  test('for people: who edits a namespace edits its databases, who views it sees them', () => {
    const labels = (name: string) => find(byDefault, 'ClusterRole', `${release}-${name}`).metadata.labels
    expect(labels('edit')).toMatchObject({ 'rbac.authorization.k8s.io/aggregate-to-edit': 'true' })
    expect(labels('view')).toMatchObject({ 'rbac.authorization.k8s.io/aggregate-to-view': 'true' })
    expect(labels('edit')).not.toHaveProperty(['rbac.authorization.k8s.io/aggregate-to-view'])
    expect(find(everything, 'ClusterRole', `${release}-metrics-reader`).rules).toEqual([
      { nonResourceURLs: ['/metrics'], verbs: ['get'] },
    ])
  })
})

describe('the pod', () => {
  const environment = (objects: Rendered[]) => {
    const [{ env }] = podOf(objects).spec.containers
    const set = env.map(({ name, value = 'from-the-pod' }: { name: string; value?: string }) => [name, value])
    return readConfig(Object.fromEntries(set))
  }

  test('starts with an environment that the process accepts, and that names the objects of the chart', () => {
    const config = environment(byDefault)
    find(byDefault, 'Service', config.serviceName)
    find(byDefault, 'ServiceAccount', podOf(byDefault).spec.serviceAccountName)
    find(byDefault, 'MutatingWebhookConfiguration', config.webhookConfiguration)
    find(byDefault, 'ValidatingWebhookConfiguration', config.webhookConfiguration)
    const self = find(byDefault, 'Role', `${release}-self`).rules?.flatMap((rule) => rule.resourceNames ?? [])
    expect(self).toEqual([config.leaseName, config.keySecret, config.authoritySecret])
    expect(config.port).toBe(podOf(byDefault).spec.containers[0].ports[0].containerPort)
    expect(config).toMatchObject({ certificateFolder: '', watchNamespaces: [], protectMetrics: false })
    expect(config.generatedPasswordLength).toBe(24)
  })

  test('hears of what was set', () => {
    const { certificateFolder, ...config } = environment(everything)
    expect(config).toMatchObject({ watchNamespaces: ['shop', 'blog'], protectMetrics: true })
    expect(config.generatedPasswordLength).toBe(40)
    const [mount] = podOf(everything).spec.containers[0].volumeMounts
    expect(mount).toMatchObject({ mountPath: certificateFolder, readOnly: true })
    const certificate = find(everything, 'Certificate', `${release}-tls`)
    expect(podOf(everything).spec.volumes[0].secret.secretName).toBe(certificate.spec.secretName)
  })

  test('meets Pod Security restricted, with a root file system that nobody writes to', () => {
    const { spec } = podOf(byDefault)
    expect(spec.securityContext).toMatchObject({
      runAsNonRoot: true,
      runAsUser: 10001,
      seccompProfile: { type: 'RuntimeDefault' },
    })
    expect(spec.containers[0].securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
    expect(Object.keys(spec).filter((key) => key.startsWith('host'))).toEqual([])
  })

  test('is replaced without a moment in which nobody answers', () => {
    const { spec } = find(byDefault, 'Deployment')
    expect(spec.strategy.rollingUpdate).toEqual({ maxUnavailable: 0, maxSurge: 1 })
    const [{ readinessProbe }] = spec.template.spec.containers
    const { drainSeconds } = environment(byDefault)
    expect(spec.template.spec.terminationGracePeriodSeconds).toBeGreaterThan(drainSeconds + 10)
    // A replica that lost the Lease is found out before it closes; time for everybody to hear of it is left.
    const { periodSeconds, failureThreshold } = readinessProbe
    expect(periodSeconds * failureThreshold).toBeLessThan(drainSeconds - 2)
    expect(readinessProbe.httpGet).toEqual({ path: '/readyz', port: 'https', scheme: 'HTTPS' })
  })

  test.each(['byDefault', 'everything'])('is selected by everything that should select it (%s)', (which) => {
    const objects = which === 'everything' ? everything : byDefault
    const { labels } = podOf(objects).metadata
    for (const selector of [
      find(objects, 'Deployment').spec.selector.matchLabels,
      find(objects, 'Service').spec.selector,
      find(objects, 'PodDisruptionBudget').spec.selector.matchLabels,
      find(objects, 'NetworkPolicy').spec.podSelector.matchLabels,
    ]) {
      expect(Object.keys(selector).length).toBeGreaterThan(0)
      expect(labels).toMatchObject(selector)
    }
  })
})

describe('the webhooks', () => {
  const webhooks = (objects: Rendered[]) =>
    ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'].flatMap(
      (kind) => find(objects, kind).webhooks ?? [],
    )

  test('fail closed, within 5 seconds, on CREATE and UPDATE of our resource alone', () => {
    expect(webhooks(byDefault)).toHaveLength(2)
    for (const webhook of webhooks(byDefault)) {
      expect(webhook).toMatchObject({
        failurePolicy: 'Fail',
        sideEffects: 'None',
        matchPolicy: 'Equivalent',
        timeoutSeconds: 5,
        rules: [
          {
            apiGroups: ['otus.homework'],
            apiVersions: ['v1'],
            operations: ['CREATE', 'UPDATE'],
            resources: ['mysqls'],
            scope: 'Namespaced',
          },
        ],
      })
    }
  })

  test('look only into namespaces that are watched', () => {
    const selectors = (objects: Rendered[]) => webhooks(objects).map((one) => one.namespaceSelector)
    const key = 'kubernetes.io/metadata.name'
    const all = { matchExpressions: [{ key, operator: 'NotIn', values: [namespace, 'kube-system'] }] }
    const some = { matchExpressions: [{ key, operator: 'In', values: ['shop', 'blog'] }] }
    expect(selectors(byDefault)).toEqual([all, all])
    expect(selectors(everything)).toEqual([some, some])
  })

  test('with cert-manager: its injector is told of the Certificate, whose names are those of the Service', () => {
    const { metadata, spec } = find(everything, 'Certificate', `${release}-tls`)
    for (const kind of ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration']) {
      expect(find(everything, kind).metadata.annotations).toEqual({
        'cert-manager.io/inject-ca-from': `${metadata.namespace}/${metadata.name}`,
      })
    }
    expect(spec.dnsNames).toContain(`${release}.${namespace}.svc`)
    expect(find(byDefault, 'MutatingWebhookConfiguration').metadata).not.toHaveProperty('annotations')
  })

  test('with cert-manager but without the chart: certs/certificate.yaml is the same Certificate', () => {
    const example = parse(readFileSync('certs/certificate.yaml', 'utf8'))
    const { metadata, spec } = find(everything, 'Certificate', `${release}-tls`)
    const { group: _, ...issuerRef } = spec.issuerRef
    // The example's namespace is called as the release is.
    const dnsNames = spec.dnsNames.map((name: string) => name.replace(namespace, release))
    const commonName = spec.commonName.replace(namespace, release)
    expect(example.spec).toEqual({ ...spec, dnsNames, commonName, issuerRef })
    expect(example.metadata.name).toBe(metadata.name)
  })
})

describe('the values', () => {
  test.each([
    ['a misspelt one', { replica: 3 }, /replica/],
    ['a misspelt one inside another', { 'image.tags': 'x' }, /tags/],
    ['an unknown level of the log', { logLevel: 'loud' }, /logLevel/],
    ['the own namespace among the watched', { watchNamespaces: [namespace] }, /own namespace/],
    ['a stop shorter than what it has to hold', { terminationGracePeriodSeconds: 29 }, /drainSeconds/],
    ['an account that is neither made nor named', { 'serviceAccount.create': false }, /serviceAccount/],
  ])('refuse %s', async (_, values: Record<string, unknown>, said) => {
    await expect(render(values)).rejects.toThrow(said)
  })

  test('can leave out what others bring', async () => {
    const less = await render({
      'crd.install': false,
      'networkPolicy.enabled': false,
      'podDisruptionBudget.enabled': false,
      serviceAccount: { create: false, name: 'theirs' },
    })
    const kinds = ['CustomResourceDefinition', 'NetworkPolicy', 'PodDisruptionBudget', 'ServiceAccount']
    expect(less.filter(({ kind }) => kinds.includes(kind))).toEqual([])
    expect(podOf(less).spec.serviceAccountName).toBe('theirs')
  })
})
