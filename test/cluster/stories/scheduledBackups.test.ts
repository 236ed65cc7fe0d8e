/**
 * Dumps of living databases: by a schedule, by hand, with the operator away, failing and healed, and cut off by a deletion.
 * The schedule is each minute, so that a story can see it keep time.
 */
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import type { MySQL } from '../../../src/api/mysql.ts'
import { bulk, heap } from './bulk.ts'
import { reach } from './https.ts'
import { leadership, scale } from './replicas.ts'
import {
  closeSpace,
  eventually,
  gone,
  openSpace,
  query,
  ready,
  type Space,
  theCluster,
  uniquePassword,
} from './support.ts'
import { fillVolume, onVolume } from './volume.ts'

const root = { user: 'root', password: uniquePassword() }
// Dumps wait for a verification that is at work, which is another story.
const spec = (backup: object = {}) => ({
  database: 'shop',
  password: root.password,
  backup: { verifyEvery: 0, ...backup },
})
const minutely = { schedule: '* * * * *', keep: 2 }

let place: Space
beforeAll(async () => {
  place = await openSpace(await theCluster(), 'schedule')
  await place.apply('timed', spec(minutely))
  await place.apply('asked', spec())
  await place.apply('leaving', spec())
  await Promise.all(['timed', 'asked', 'leaving'].map((name) => ready(place, name)))
})
afterAll(() => closeSpace(place))

const statusOf = async (name: string) => (await place.get(name))?.status
const backedUp = (found: MySQL | undefined) =>
  found?.status?.conditions?.find(({ type }) => type === 'BackedUp')

/** Waits until a run has ended after the one that began at `before`; answers the resource. */
const nextRun = (name: string, before: string | undefined) =>
  eventually(
    `${name} has run again`,
    async () => {
      const found = await place.get(name)
      return found?.status?.backup?.lastRun !== before && found
    },
    180,
  )

/** Waits until a run has ended that began at that moment or later (to the second); answers the resource. */
const runSince = (name: string, moment: number) =>
  eventually(
    `${name} has run since`,
    async () => {
      const found = await place.get(name)
      const began = Date.parse(found?.status?.backup?.lastRun ?? '')
      return began >= Math.floor(moment / 1000) * 1000 && found
    },
    180,
  )

/** Asks for a dump as a person does, and waits until it has ended. */
const ask = async (name: string) => {
  const now = new Date()
  const request = `backup.otus.homework/requestedAt=${now.toISOString()}`
  await place.kubectl('annotate', 'mysql', name, '--overwrite', request)
  return runSince(name, now.getTime())
}

/** Names of the finished dumps, oldest first. */
const dumps = async (name: string) =>
  (await onVolume(place, `backup-${name}-pvc`, 'ls *.json')).trim().split('\n')

const events = (name: string, reason: string) =>
  place.kubectl(
    ...['get', 'events', '--field-selector', `involvedObject.name=${name},reason=${reason}`],
    ...['-o', 'jsonpath={range .items[*]}{.note}{.message}{"\\n"}{end}'],
  )

test('A schedule that came twice while the operator was away is made up for once', async () => {
  await eventually('a first time', async () => (await statusOf('timed'))?.backup?.nextRun !== undefined)
  // The other stories need it, whatever becomes of this one.
  onTestFinished(() => scale(place.cluster, 2))
  await scale(place.cluster, 0)
  const before = (await statusOf('timed'))?.backup
  const missed = before?.nextRun ?? ''
  // Nobody works meanwhile: what the other stories dump is made now.
  await query(place, 'asked', root, bulk)
  await query(place, 'leaving', root, heap(6))
  const twice = Date.parse(missed) + 60_000
  await eventually('the schedule has come twice', async () => Date.now() > twice, 180)
  expect((await statusOf('timed'))?.backup).toEqual(before)
  await scale(place.cluster, 2)

  const { status } = await runSince('timed', twice)
  const suspend = { spec: { backup: { suspended: true } } }
  await place.kubectl('patch', 'mysql', 'timed', '--type=merge', '-p', JSON.stringify(suspend))
  const job = JSON.parse(await place.kubectl('get', 'job', 'backup-timed-job', '-o', 'json'))
  expect(job.metadata.annotations['otus.homework/scheduled-for']).toBe(missed)
  // On a slow machine the next time has come as well, which is another minute's.
  const minute = status?.backup?.file?.slice(0, 'timed-20260102T0304'.length) ?? ''
  const all = await dumps('timed')
  expect(all.filter((file) => file.startsWith(minute))).toHaveLength(1)
})

describe('Dumps', () => {
  test.concurrent('of a schedule that is suspended come on demand, the newest are kept, and it can be resumed', async () => {
    const suspended = await eventually('the schedule is suspended', async () => {
      const found = await place.get('timed')
      return found?.status?.backup?.nextRun === undefined && found
    })
    expect(backedUp(suspended)).toMatchObject({ status: 'True', reason: 'Succeeded' })
    await ask('timed')
    const { status } = await ask('timed')
    const kept = await dumps('timed')
    expect(kept).toHaveLength(2)
    expect(kept[1]).toBe(status?.backup?.file?.replace('.sql.gz', '.json'))

    const resume = { spec: { backup: { suspended: false } } }
    await place.kubectl('patch', 'mysql', 'timed', '--type=merge', '-p', JSON.stringify(resume))
    const due = await eventually('a next run', async () => (await statusOf('timed'))?.backup?.nextRun)
    expect(Date.parse(due)).toBeGreaterThan(Date.now() - 5_000)
    const again = await nextRun('timed', status?.backup?.lastRun)
    expect(Date.parse(again.status?.backup?.lastRun ?? '')).toBeGreaterThanOrEqual(Date.parse(due))
    expect(Date.parse(again.status?.backup?.nextRun ?? '')).toBeGreaterThan(Date.parse(due))
    const made = (await events('timed', 'BackupSucceeded')).trim().split('\n')
    expect(new Set(made).size).toBeGreaterThanOrEqual(4)
  })

  test
    .skipIf(inject('cluster').context !== undefined)
    .concurrent('that fail are told of as failed, and the next one that is made as made', async () => {
      const { cluster, namespace } = place
      const repair = await fillVolume(place, 'backup-asked-pvc')
      const failed = await ask('asked')
      expect(backedUp(failed)).toMatchObject({
        status: 'False',
        reason: 'Failed',
        message: expect.stringMatching(/is the backup volume full\?.* There is no good one yet\.$/),
      })
      expect(failed.status?.backup).toMatchObject({ failures: 1, lastRun: expect.any(String) })
      expect(failed.status?.backup?.lastSuccess).toBeUndefined()
      expect(await events('asked', 'BackupFailed')).toContain('is the backup volume full?')
      await repair()

      const account = 'pipeline'
      await place.kubectl('create', 'serviceaccount', account)
      await place.kubectl('create', 'role', account, '--verb=update', '--resource=mysqls.otus.homework')
      const subject = `--serviceaccount=${namespace}:${account}`
      await place.kubectl('create', 'rolebinding', account, `--role=${account}`, subject)
      const token = (await place.kubectl('create', 'token', account)).trim()
      const { leader } = await leadership(cluster)
      const { send, close } = await reach(cluster, leader)
      try {
        const body = { namespace, name: 'asked', backup: true }
        expect(await send({ path: '/reconcile', token, body })).toMatchObject({ code: 202 })
        const made = await nextRun('asked', failed.status?.backup?.lastRun)
        expect(backedUp(made)).toMatchObject({ status: 'True', reason: 'Succeeded' })
        const { backup } = made.status ?? {}
        expect(backup).toMatchObject({ failures: 1, tables: 1, duration: expect.any(Number) })
        expect(backup?.bytes).toBeGreaterThan(1_000_000)
        expect(await dumps('asked')).toEqual([backup?.file?.replace('.sql.gz', '.json')])
        await query(place, 'asked', root, 'CREATE TABLE shop.afterwards (id INT)')

        const { body: metrics } = await send({ method: 'GET', path: '/metrics' })
        const labels = `{namespace="${namespace}",name="asked"}`
        const success = Date.parse(backup?.lastSuccess ?? '') / 1000
        const lines = [
          `mysql_operator_backup_last_success_timestamp_seconds${labels} ${success}`,
          `mysql_operator_backup_last_size_bytes${labels} ${backup?.bytes}`,
          `mysql_operator_backup_last_duration_seconds${labels} ${backup?.duration}`,
          `mysql_operator_backup_failures_total${labels} 1`,
        ]
        expect(String(metrics).split('\n')).toEqual(expect.arrayContaining(lines))
      } finally {
        close()
      }
    })

  test.concurrent('let writes in, and one that a deletion overtakes makes way for the last one, which has them', async () => {
    const name = 'leaving'
    const request = 'backup.otus.homework/requestedAt=once'
    await place.kubectl('annotate', 'mysql', name, request)
    await eventually('some of the dump is written', async () => {
      const script = `stat -c %s /backup-${name}-pv/*.partial`
      const { stdout } = await place.attempt('exec', `job/backup-${name}-job`, '--', 'bash', '-c', script)
      return Number(stdout) > 1_000_000
    })
    await query(place, name, root, 'CREATE TABLE shop.late (id INT); INSERT INTO shop.late VALUES (42)')
    const job = `{.metadata.annotations.otus\\.homework/last-dump}{.status.conditions}`
    expect(await place.kubectl('get', 'job', `backup-${name}-job`, '-o', `jsonpath=${job}`)).toBe('')
    await place.kubectl('delete', 'mysql', name, '--wait=false')
    await gone(place, name)
    const look =
      'ls *.json | wc -l; ls *.partial | wc -l; gzip -dc *.sql.gz | grep -c "INTO .late. VALUES (42)"'
    expect(await onVolume(place, `backup-${name}-pvc`, look)).toBe('1\n0\n1\n')
  })
})
