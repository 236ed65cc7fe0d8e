import { describe, expect, test } from 'vitest'
import { annotations, finalizer } from '../../src/api/names.ts'
import type { MySQLSpec } from '../../src/api/schema.ts'
import { decide } from '../../src/reconcile/decide.ts'
import type { JobFact } from '../../src/reconcile/jobs.ts'
import type { Observed } from '../../src/reconcile/observe.ts'
import { statusOf } from '../../src/reconcile/status.ts'
import { imageInUse, nextUpgradeLook } from '../../src/reconcile/upgrade.ts'
import { mysql } from '../api/fixtures.ts'
import { claim, job, now, observed, pod } from './fixtures.ts'
import { World } from './world.ts'

const [older, newer] = ['mysql:9.7', 'mysql:9.7.4']
const credentials = {
  wanted: { root: { state: 'none' as const }, user: { state: 'none' as const } },
  inForce: {},
}
const dump = (facts: Partial<JobFact> = {}) => job({ beforeUpgradeTo: newer, ...facts })
const report = (file: string | null) =>
  JSON.stringify({ file, bytes: 1, tables: 1, sha256: 'a'.repeat(64), version: '9.7.4', incomplete: [] })

interface Given extends Partial<Observed> {
  image?: string
  /** The image that served the data. */
  served?: string | null
  upgradeDump?: string
  suspended?: boolean
  beforeUpgrade?: boolean
}

const given = ({ image = newer, served = older, upgradeDump, suspended, beforeUpgrade, ...facts }: Given) => {
  const dataClaim = claim({ initialised: true, restoredFrom: 'none' })
  const marks = { [annotations.serverImage]: served ?? undefined, [annotations.upgradeDump]: upgradeDump }
  Object.assign(dataClaim.metadata.annotations, marks)
  const backup = { ...mysql().spec.backup, beforeUpgrade: beforeUpgrade ?? true }
  const status = { backup: { lastRun: '2026-01-02T03:05:00Z' } }
  const spec: Partial<MySQLSpec> = { image, suspended: suspended ?? false, backup }
  return observed({ mysql: mysql({ spec, status }), dataClaim, ...facts })
}

const wait = { do: 'wait' }
const start = {
  do: 'backup',
  cause: { scheduledFor: undefined, requestedBy: undefined, beforeUpgradeTo: newer },
}
const noteImage = (image: string) => ({
  do: 'noteOnClaim',
  marks: { [annotations.serverImage]: image, [annotations.upgradeDump]: null },
})
const noteDump = { do: 'noteOnClaim', marks: { [annotations.upgradeDump]: 'shop-1.sql.gz' } }

const cases: Record<string, [Given, { uses: string; plan: unknown; blocked?: string }]> = {
  'nothing is new': [{ image: older }, { uses: older, plan: wait }],
  'a server that answers for the first time: note its image': [
    { served: null },
    { uses: newer, plan: noteImage(newer) },
  ],
  'another image: a dump first': [{}, { uses: older, plan: start }],
  'another image before the data was ever served: no dump': [
    { served: null, pod: pod({ ready: false, stuck: 'ErrImagePull: no' }) },
    { uses: newer, plan: wait },
  ],
  'no dump is wanted': [
    { beforeUpgrade: false, rolledOut: false },
    { uses: newer, plan: wait },
  ],
  'the dump is being made': [{ backup: dump({ state: 'running' }) }, { uses: older, plan: wait }],
  'the dump is made: note it, which lets the image through': [
    { backup: dump({ report: report('shop-1.sql.gz') }) },
    { uses: older, plan: noteDump },
  ],
  'a dump for another image': [
    { backup: dump({ beforeUpgradeTo: 'mysql:9.8', report: report('shop-1.sql.gz') }) },
    { uses: older, plan: { do: 'removeJob', job: 'backup', uid: 'job-1' } },
  ],
  'a dump for this image from before the spec was last changed': [
    { backup: dump({ generation: 0, report: report('shop-1.sql.gz') }) },
    { uses: older, plan: { do: 'removeJob', job: 'backup', uid: 'job-1' } },
  ],
  'a dump for this image of another resource': [
    { backup: dump({ ownerUid: 'somebody', report: report('shop-1.sql.gz') }) },
    { uses: older, plan: { do: 'removeJob', job: 'backup', uid: 'job-1' } },
  ],
  'a dump by the schedule counts for nothing': [
    { backup: job({ report: report('shop-1.sql.gz') }) },
    { uses: older, plan: { do: 'removeJob', job: 'backup', uid: 'job-1' } },
  ],
  'a dump that failed just now: later': [
    { backup: dump({ state: 'failed', finishedAt: '2026-01-02T03:59:30Z' }) },
    { uses: older, plan: wait, blocked: 'BackupFailed' },
  ],
  'a dump that failed a while ago: again': [
    { backup: dump({ state: 'failed' }) },
    { uses: older, plan: { do: 'removeJob', job: 'backup', uid: 'job-1' }, blocked: 'BackupFailed' },
  ],
  'a success that says nothing of a dump: again': [
    { backup: dump() },
    { uses: older, plan: { do: 'removeJob', job: 'backup', uid: 'job-1' } },
  ],
  'the server before does not start': [
    { pod: pod({ ready: false, stuck: 'CrashLoopBackOff: no' }), backup: dump({ state: 'running' }) },
    { uses: older, plan: wait, blocked: 'Stuck' },
  ],
  'the new server is on its way': [
    { upgradeDump: 'shop-1.sql.gz', rolledOut: false },
    { uses: newer, plan: wait },
  ],
  'the new server answers: that is the end': [
    { upgradeDump: 'shop-1.sql.gz' },
    { uses: newer, plan: noteImage(newer) },
  ],
  'the new server does not start, and a third image is given: the dump is still good': [
    { upgradeDump: 'shop-1.sql.gz', image: 'mysql:9.7.5', pod: pod({ ready: false }) },
    { uses: 'mysql:9.7.5', plan: wait },
  ],
  'back to the image before': [
    { upgradeDump: 'shop-1.sql.gz', image: older },
    { uses: older, plan: noteImage(older) },
  ],
  'suspended: it waits with the image before': [
    { suspended: true, pod: undefined },
    { uses: older, plan: wait },
  ],
}

describe('another image', () => {
  test.each(Object.entries(cases))('%s', (_, [what, { uses, plan, blocked }]) => {
    const o = given(what)
    expect(imageInUse(o)).toBe(uses)
    expect(decide(o, credentials, now)).toEqual(plan)
    const found = statusOf(o, credentials, now).conditions?.find(({ type }) => type === 'UpgradeBlocked')
    expect(found?.reason).toBe(blocked)
  })

  test('that waits says so, with both ways out where it is blocked', () => {
    const conditions = (what: Given) => {
      const { message, conditions: all } = statusOf(given(what), credentials, now)
      return { message, progressing: all?.find(({ type }) => type === 'Progressing')?.message }
    }
    expect(conditions({}).progressing).toBe(
      'Job backup-shop-job makes a dump before the upgrade to mysql:9.7.4.',
    )
    expect(conditions({ backup: dump({ state: 'failed', report: '{"error":"no room"}' }) }).message).toBe(
      'The dump before the upgrade failed and will be tried again: no room. To go to mysql:9.7.4 without a dump: ' +
        `kubectl -n team patch mysql shop --type merge -p '{"spec":{"backup":{"beforeUpgrade":false}}}'. To stay with mysql:9.7: ` +
        `kubectl -n team patch mysql shop --type merge -p '{"spec":{"image":"mysql:9.7"}}'.`,
    )
  })

  test('that is blocked stays so while its dump is tried again, and until its server is up', () => {
    const before = {
      type: 'UpgradeBlocked',
      status: 'True' as const,
      observedGeneration: 1,
      lastTransitionTime: '2026-01-02T03:05:00Z',
      message: 'as before',
    }
    const blocked = (reason: string, observedGeneration: number, facts: Partial<Observed>) => {
      const o = given({ backup: dump({ state: 'running' }), ...facts })
      const conditions = [{ ...before, reason, observedGeneration }]
      const found = statusOf({ ...o, mysql: { ...o.mysql, status: { conditions } } }, credentials, now)
      return found.conditions?.find(({ type }) => type === 'UpgradeBlocked')?.message
    }
    expect(blocked('BackupFailed', 1, {})).toBe('as before')
    expect(blocked('Stuck', 1, { pod: pod({ ready: false }) })).toBe('as before')
    expect(blocked('Stuck', 1, {})).toBeUndefined()
    expect(blocked('BackupFailed', 0, {})).toBeUndefined()
  })

  test('is looked at again when a failed dump is due', () => {
    const failed = (finishedAt: string) => given({ backup: dump({ state: 'failed', finishedAt }) })
    expect(nextUpgradeLook(failed('2026-01-02T03:59:30Z'), now)).toEqual([30_000])
    expect(nextUpgradeLook(failed('2026-01-02T03:58:30Z'), now)).toEqual([])
    expect(nextUpgradeLook(given({ image: older }), now)).toEqual([])
  })
})

const key = 'team/shop'
const settle = async (world: World) => {
  for (let quiet = 0, round = 0; quiet < 4 && round < 100; round++) {
    const before = world.writes.length
    world.see()
    await world.run(key)
    world.tick()
    quiet = world.writes.length === before ? quiet + 1 : 0
  }
}

/** Made, given another image, and another one at once with its deletion; with one crash somewhere. */
const upgrades = async (crashAfter = Number.POSITIVE_INFINITY): Promise<World> => {
  const world = new World()
  world.crashAfter = crashAfter
  const change = (spec: object) => {
    const { passwordSecretRef: _, ...rest } = mysql().spec
    const live = world.get('MySQL', 'shop') ?? {
      ...mysql({ metadata: { finalizers: [finalizer] } }),
      spec: rest,
    }
    world.put({ ...live, spec: { ...live.spec, ...spec } } as never)
  }
  const image = () => world.get('StatefulSet', 'shop')?.spec.template.spec.containers[0].image
  change({ image: older })
  await settle(world)
  expect(image()).toBe(older)
  change({ image: newer })
  for (let round = 0; image() === older && round < 100; round++) {
    expect(world.get('Job', 'backup-shop-job')?.spec.template.spec.containers[0].image ?? older).toBe(older)
    world.see()
    await world.run(key)
    if (image() !== older) break
    world.tick()
  }
  expect(world.dumps, 'one dump before').toEqual(['shop-0.sql.gz'])
  await settle(world)
  expect(image()).toBe(newer)
  expect(world.get('PersistentVolumeClaim', 'shop-pvc')?.metadata.annotations).toMatchObject({
    [annotations.serverImage]: newer,
  })
  expect(world.get('PersistentVolumeClaim', 'shop-pvc')?.metadata.annotations).not.toHaveProperty(
    annotations.upgradeDump,
  )
  change({ image: 'mysql:9.7.5' })
  world.remove(world.get('MySQL', 'shop') as never)
  await settle(world)
  expect(world.get('MySQL', 'shop')).toBeUndefined()
  expect(world.dumps).toHaveLength(2)
  return world
}

test('upgraded and deleted ends the same wherever the operator dies', { timeout: 120_000 }, async () => {
  const { writes } = await upgrades()
  for (let crashAfter = 1; crashAfter <= writes.length; crashAfter++)
    await upgrades(crashAfter).catch((error: unknown) => {
      throw new Error(`crash ${crashAfter}, after: ${writes[crashAfter - 1]}`, { cause: error })
    })
})
