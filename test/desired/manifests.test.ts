import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { annotations, labels } from '../../src/api/names.ts'
import type { Meta } from '../../src/api/resource.ts'
import { configMap, scriptNames } from '../../src/desired/configMap.ts'
import type { JobManifest } from '../../src/desired/jobs/job.ts'
import { podsService } from '../../src/desired/services.ts'
import { type StatefulSetManifest, statefulSet } from '../../src/desired/statefulSet.ts'
import { mysql } from '../api/fixtures.ts'
import { cases, claimUid, manifests } from './cases.ts'

const all = Object.values(cases).flatMap((of) => manifests(of).map((manifest) => ({ of, manifest })))
const templates = all.flatMap(({ of, manifest }) => {
  const template = (manifest as JobManifest | StatefulSetManifest).spec?.template
  return template ? [{ of, manifest, template }] : []
})

const inputs = { claimUid, accountUid: 'one' }
const templateOf = (of: Parameters<typeof statefulSet>[0], change = {}) =>
  statefulSet(of, { ...inputs, ...change }).spec?.template

test('every object says whose it is', () => {
  for (const { of, manifest } of all) {
    expect(manifest.metadata.namespace).toBe(of.metadata.namespace)
    expect(manifest.metadata.labels).toEqual({
      [labels.app]: of.metadata.name,
      [labels.name]: 'mysql',
      [labels.instance]: of.metadata.name,
      [labels.component]: expect.stringMatching(/^[a-z-]+$/),
      [labels.managedBy]: 'mysql-operator',
    })
    expect(manifest.metadata.annotations?.[annotations.ownerUid]).toBe(of.metadata.uid)
  }
})

test('only what the last dump can do without is owned, and so deleted before it', () => {
  const isOwned = ({ ownerReferences }: Meta) => ownerReferences !== undefined
  const owned = manifests(mysql()).filter(({ metadata }) => isOwned(metadata))
  expect(owned.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
    'Secret shop-root-k7p2',
    'Secret shop-root',
    'NetworkPolicy shop',
    'Job restore-shop-job',
    'Job password-change-shop-job',
    'Job verify-shop-job',
  ])
})

test('every pod meets the Pod Security Standard restricted, and more', () => {
  expect(templates).toHaveLength(5 * Object.keys(cases).length)
  for (const { template } of templates) {
    const { spec } = template
    expect(spec).toMatchObject({
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 999,
        runAsGroup: 999,
        fsGroup: 999,
        seccompProfile: { type: 'RuntimeDefault' },
      },
    })
    for (const container of [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])])
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        runAsNonRoot: true,
        capabilities: { drop: ['ALL'] },
      })
    const allowed = ['configMap', 'emptyDir', 'ephemeral', 'persistentVolumeClaim', 'secret']
    for (const { name: _, ...source } of spec?.volumes ?? [])
      expect(allowed).toContain(Object.keys(source)[0])
  }
})

test('no command, argument or variable of a pod holds a hash or a password', () => {
  for (const { template } of templates)
    expect(JSON.stringify(template)).not.toMatch(/0x2441|\*0123|generated"|32-letters/)
})

test('commands are the same for every resource: its text is in variables only', () => {
  const commands = templates.flatMap(({ template: { spec } }) =>
    [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].map(({ command }) => command?.join(' ')),
  )
  const config = '/etc/mysql-operator/config'
  expect([...new Set(commands)]).toEqual([
    `bash ${config}/initialise.sh`,
    `mysqld --defaults-file=${config}/my.cnf --init-file=/etc/mysql-operator/init/init.sql`,
    `bash ${config}/restore.sh`,
    `bash ${config}/password.sh`,
    `bash ${config}/backup.sh`,
    `bash ${config}/verify.sh`,
  ])
})

test('no Job’s pod is selected by the Services or by a selector of somebody’s own on app', () => {
  const selector = podsService(mysql()).spec?.selector ?? {}
  for (const { of, manifest, template } of templates) {
    if (of.metadata.name !== 'shop') continue
    const carried = template.metadata?.labels ?? {}
    const isSelected = Object.entries(selector).every(([key, value]) => carried[key] === value)
    expect(isSelected).toBe(manifest.kind === 'StatefulSet')
    expect(labels.app in carried).toBe(manifest.kind === 'StatefulSet')
  }
})

test('every mount has a volume and every volume is mounted', () => {
  for (const { template } of templates) {
    const containers = [...(template.spec?.initContainers ?? []), ...(template.spec?.containers ?? [])]
    const mounted = containers.flatMap(({ volumeMounts = [] }) => volumeMounts.map(({ name }) => name))
    expect(new Set(mounted)).toEqual(new Set(template.spec?.volumes?.map(({ name }) => name)))
  }
})

describe('the pod is replaced', () => {
  const original = JSON.stringify(templateOf(mysql()))
  const changed = (spec: Parameters<typeof mysql>[0], change = {}) =>
    JSON.stringify(templateOf(mysql(spec), change))

  test.each([
    ['the image', { spec: { image: 'mysql:9.8' } }],
    ['the resources', { spec: { resources: { limits: { memory: '4Gi' } } } }],
    ['the node selector', { spec: { nodeSelector: { disk: 'ssd' } } }],
  ])('for another value of %s', (_, change) => {
    expect(changed(change)).not.toBe(original)
  })

  test('for a new account of the operator', () => {
    expect(changed({}, { accountUid: 'two' })).not.toBe(original)
  })

  test.each([
    ['passwords', { spec: { passwordSecretRef: { name: 'other', key: 'password' } } }],
    ['the deletion policy', { spec: { deletionPolicy: 'Retain' } }],
    ['the size', { spec: { storage_size: '2Gi' } }],
    ['the generation', { metadata: { generation: 7, resourceVersion: '8' } }],
  ] as const)('but not for another value of %s', (_, change) => {
    expect(changed(change)).toBe(original)
  })

  test('but not for other scripts, which are not in its template', () => {
    for (const name of scriptNames)
      expect(original).not.toContain(configMap(mysql()).data?.[name]?.slice(0, 100))
  })
})

describe('my.cnf', () => {
  const line = (option: string, spec = {}) =>
    configMap(mysql({ spec })).data?.['my.cnf']?.match(new RegExp(`^${option} = (.*)$`, 'm'))?.[1]

  test.each([
    [undefined, 128],
    ['256Mi', 128],
    ['255Mi', 127],
    ['32Mi', 32],
    ['512Mi', 256],
    ['1000Mi', 384],
    ['1G', 384],
    ['4Gi', 2048],
    [2 ** 30, 512],
  ])('with %s of memory the buffer pool has %i MiB', (memory, pool) => {
    const spec = memory === undefined ? {} : { resources: { limits: { memory } } }
    expect(Number(line('innodb_buffer_pool_size', spec))).toBe(pool * 2 ** 20)
  })

  test('every commit is on disk before it is acknowledged', () => {
    expect(line('innodb_flush_log_at_trx_commit')).toBe('1')
    expect(line('sync_binlog')).toBe('1')
  })
})

test.each(scriptNames)('%s is valid bash', (name) => {
  execFileSync('bash', ['-n'], { input: configMap(mysql()).data?.[name] })
})

test('a claim without a uid cannot be worked on', () => {
  expect(() => statefulSet(mysql(), { ...inputs, claimUid: '' })).toThrow('the claim has no uid')
})
