import { describe, expect, test } from 'vitest'
import { finalizer } from '../../src/api/names.ts'
import { decide } from '../../src/reconcile/decide.ts'
import { nextDump } from '../../src/reconcile/decideBackup.ts'
import { decideEnd } from '../../src/reconcile/decideEnd.ts'
import type { Observed } from '../../src/reconcile/observe.ts'
import { statusOf } from '../../src/reconcile/status.ts'
import { wantsServer } from '../../src/reconcile/suspension.ts'
import { mysql } from '../api/fixtures.ts'
import { claim, job, now, observed, pod, workload } from './fixtures.ts'
import { World } from './world.ts'

const backup = { ...mysql().spec.backup, schedule: '30 * * * *' }
const asleep = (facts: Partial<Observed> = {}) =>
  observed({ mysql: mysql({ spec: { suspended: true, backup } }), pod: undefined, ...facts })
const nobody = {
  wanted: { root: { state: 'none' as const }, user: { state: 'none' as const } },
  inForce: {},
}
const running = job({ state: 'running' })
const restored = JSON.stringify({
  version: '9.7.4',
  from: null,
  tables: 1,
  skippedAccounts: [],
  already: false,
})
const away = (which: string) => ({ do: 'removeJob', job: which, uid: 'job-1' })

const cases: Record<string, [Partial<Observed>, { server: boolean; plan: unknown }]> = {
  'nothing is under way: no server': [{}, { server: false, plan: { do: 'wait' } }],
  'the server is still there: it goes': [{ pod: pod() }, { server: false, plan: { do: 'wait' } }],
  'a dump is being made: it is let come to its end': [
    { pod: pod(), backup: running },
    { server: true, plan: { do: 'wait' } },
  ],
  'a password is being changed: it is let come to its end': [
    { pod: pod(), password: running },
    { server: true, plan: { do: 'wait' } },
  ],
  'a dump waits for a server that does not answer: away with it': [
    { pod: pod({ ready: false }), backup: running },
    { server: false, plan: away('backup') },
  ],
  'a dump that cannot start: away with it': [
    { pod: pod(), backup: job({ state: 'running', stuck: 'ErrImagePull: no', generation: 0 }) },
    { server: false, plan: away('backup') },
  ],
  'a dump of another claim is not waited for': [
    { pod: pod(), backup: job({ state: 'running', claimUid: 'claim-0' }) },
    { server: false, plan: away('backup') },
  ],
  'a change of password waits for a server: away with it': [
    { password: running },
    { server: false, plan: { ...away('password'), forget: [] } },
  ],
  'a restore is under way: it begins anew afterwards': [
    { dataClaim: claim({ initialised: true }), pod: pod({ ready: false }), restore: running },
    { server: false, plan: away('restore') },
  ],
  'a restore has just succeeded: what it was made from is noted all the same': [
    { dataClaim: claim({ initialised: true }), restore: job({ report: restored }) },
    { server: false, plan: { do: 'markRestored', from: 'none' } },
  ],
  'nothing was ever made: nothing is': [
    { dataClaim: claim({ phase: 'Pending' }), restore: undefined },
    { server: false, plan: { do: 'wait' } },
  ],
}

describe('a MySQL that is suspended', () => {
  test.each(Object.entries(cases))('%s', (_, [facts, { server, plan }]) => {
    expect(wantsServer(asleep(facts))).toBe(server)
    expect(decide(asleep(facts), nobody, now)).toEqual(plan)
  })

  test('has no next dump, and what was due before is not owed', () => {
    const status = { backup: { nextRun: '2026-01-02T03:30:00Z' } }
    const due = mysql({ spec: { suspended: true, backup }, status })
    expect(nextDump(asleep({ mysql: due }), now)).toBeUndefined()
    expect(nextDump(observed({ mysql: mysql({ spec: { backup } }) }), now)).toBe('2026-01-02T04:30:00Z')
  })

  test('is started for its last dump', () => {
    const deleted = mysql({
      metadata: { deletionTimestamp: '2026-01-02T03:59:00Z' },
      spec: { suspended: true },
    })
    const stopped = { ...workload(2), spec: { replicas: 0 } } as unknown as NonNullable<Observed['workload']>
    const o = asleep({ mysql: deleted, workload: stopped })
    expect(wantsServer(o)).toBe(true)
    expect(decideEnd(o, false, now)).toEqual({ do: 'startServer' })
    expect(decideEnd({ ...o, workload: workload(3) }, false, now)).toEqual({ do: 'dump' })
  })

  test.each<[string, Partial<Observed>, string[]]>([
    ['when it is stopped', {}, ['Suspended', 'Settled', 'Suspended']],
    ['while it is being stopped', { pod: pod() }, ['Suspended', 'Working', 'Suspended']],
    ['while a dump is made', { pod: pod(), backup: running }, ['Serving', 'Working', 'Suspended']],
  ])('says so %s', (_, facts, reasons) => {
    const { conditions = [] } = statusOf(asleep(facts), nobody, now)
    const found = ['Ready', 'Progressing', 'CredentialsReady'].map((wanted) =>
      conditions.find(({ type }) => type === wanted),
    )
    expect(found.map((condition) => condition?.reason)).toEqual(reasons)
    expect(conditions.find(({ type }) => type === 'Degraded')?.status).toBe('False')
  })
})

const key = 'team/shop'
const secret = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: 'team' },
  type: 'Opaque',
  data: { password: Buffer.from(name).toString('base64') },
})
const hashes = (world: World) =>
  [...world.objects.values()].flatMap(({ type, metadata }) =>
    type === 'otus.homework/mysql-password-hash' ? [metadata.name] : [],
  )

const settle = async (world: World) => {
  for (let quiet = 0, round = 0; quiet < 4 && round < 100; round++) {
    const before = world.writes.length
    world.see()
    await world.run(key)
    world.tick()
    quiet = world.writes.length === before ? quiet + 1 : 0
  }
}

/** Made, suspended, its password changed twice, resumed, suspended again, deleted; with one crash somewhere. */
const sleepers = async (crashAfter = Number.POSITIVE_INFINITY): Promise<World> => {
  const world = new World()
  world.crashAfter = crashAfter
  const change = async (spec: object) => {
    const live = world.get('MySQL', 'shop') ?? mysql({ metadata: { finalizers: [finalizer] } })
    world.put({ ...live, spec: { ...live.spec, ...spec } } as never)
    await settle(world)
  }
  const password = (name: string) => ({ passwordSecretRef: { name, key: 'password' } })
  for (const name of ['one', 'two', 'three']) world.put(secret(name))
  await change(password('one'))
  const [database] = world.databases.values()
  const first = database?.passwords.root
  await change({ suspended: true })
  expect(world.get('Pod', 'shop-0'), 'the pod is gone').toBeUndefined()
  expect(world.get('PersistentVolumeClaim', 'shop-pvc')).toBeDefined()
  await change(password('two'))
  await change(password('three'))
  expect(hashes(world), 'nothing is hashed meanwhile').toEqual([first])
  await change({ suspended: false })
  expect(database?.passwords.root).not.toBe(first)
  expect(hashes(world)).toEqual([database?.passwords.root])
  await change({ suspended: true })
  world.remove(world.get('MySQL', 'shop') as never)
  await settle(world)
  const left = [...world.objects.values()].map(({ kind, metadata }) => `${kind} ${metadata.name}`)
  const secrets = ['one', 'three', 'two'].map((name) => `Secret ${name}`)
  expect(left.sort()).toEqual(['PersistentVolumeClaim backup-shop-pvc', ...secrets])
  expect(world.dumps).toHaveLength(1)
  return world
}

test('suspended, changed, resumed, suspended and deleted ends the same wherever the operator dies', {
  timeout: 120_000,
}, async () => {
  const { writes } = await sleepers()
  for (let crashAfter = 1; crashAfter <= writes.length; crashAfter++)
    await sleepers(crashAfter).catch((error: unknown) => {
      throw new Error(`crash ${crashAfter}, after: ${writes[crashAfter - 1]}`, { cause: error })
    })
})
