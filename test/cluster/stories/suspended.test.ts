/** Databases that are put to sleep: the pod goes, everything else stays, and what is asked for meanwhile is done afterwards. */
import { beforeAll, expect, test } from 'vitest'
import { labels } from '../../../src/api/names.ts'
import {
  closeSpace,
  condition,
  eventually,
  gone,
  openSpace,
  query,
  ready,
  type Space,
  sql,
  theCluster,
  uniquePassword,
} from './support.ts'

const root = { user: 'root', password: uniquePassword() }
const spec = (more = {}) => ({ database: 'shop', password: root.password, ...more })
const rows = 'CREATE TABLE shop.notes (id INT PRIMARY KEY); INSERT INTO shop.notes VALUES (1), (2), (3)'
const select = 'SELECT GROUP_CONCAT(id) FROM shop.notes'

let place: Space
beforeAll(async () => {
  place = await openSpace(await theCluster(), 'suspended')
  return () => closeSpace(place)
})

const names = async (...args: string[]) =>
  (await place.kubectl('get', ...args, '--ignore-not-found', '-o', 'name')).split('\n').filter(Boolean)

const podIsGone = (name: string) => place.kubectl('wait', `pod/${name}-0`, '--for=delete', '--timeout=240s')

const suspend = (name: string, suspended: boolean) =>
  place.kubectl('patch', 'mysql', name, '--type=merge', '-p', JSON.stringify({ spec: { suspended } }))

/** Waits until the server is stopped, and the status says that there is no more to do. */
const sleeps = async (name: string) => {
  await condition(place, name, 'Ready', 'False', 'Suspended')
  await podIsGone(name)
  return condition(place, name, 'Progressing', 'False', 'Settled')
}

const claims = async (name: string) =>
  JSON.parse(await place.kubectl('get', 'pvc', `${name}-pvc`, `backup-${name}-pvc`, '-o', 'json')).items.map(
    ({ metadata }: { metadata: { uid: string } }) => metadata.uid,
  )

test.concurrent('A suspended MySQL has no pod and keeps its data; resumed, it makes up for what was asked for', async () => {
  const name = 'sleeper'
  const labelled = ['-l', `${labels.instance}=${name}`]
  const ali = { user: 'ali', password: uniquePassword() }
  const next = { user: 'ali', password: uniquePassword() }
  const written = (password: string) =>
    spec({ user_password: password, backup: { schedule: '* * * * *' }, suspended: true })
  await place.apply(name, { ...written(ali.password), suspended: false })
  await ready(place, name)
  await query(place, name, root, rows)
  const before = await claims(name)
  await place.apply(name, written(ali.password))
  const { status } = await sleeps(name)
  expect(status?.message).toBe('spec.suspended is true: the server is stopped, its data and its dumps stay.')
  expect(await claims(name)).toEqual(before)
  expect(status?.backup?.nextRun).toBeUndefined()
  const jobs = await names('jobs', ...labelled)

  await place.apply(name, written(next.password))
  await place.kubectl('annotate', 'mysql', name, 'backup.otus.homework/requestedAt=meanwhile')
  await condition(place, name, 'CredentialsReady', 'Unknown', 'Suspended')
  const minute = Date.now() + 60_000
  await eventually('a time of its schedule has come', async () => Date.now() > minute)
  expect(await names('jobs', ...labelled), 'no Job was started').toEqual(jobs)
  expect(await names('pod', `${name}-0`)).toEqual([])

  await suspend(name, false)
  await ready(place, name)
  await condition(place, name, 'CredentialsReady', 'True', 'InForce')
  expect(await query(place, name, root, select)).toBe('1,2,3')
  expect(await query(place, name, next, 'SELECT 1')).toBe('1')
  expect((await sql(place, name, ali, 'SELECT 1')).stderr).toContain('ERROR 1045')
  const asked = await eventually('the dump that was asked for is made', async () => {
    const now = (await place.get(name))?.status
    return now?.lastHandledBackupAt === 'meanwhile' && now.backup?.file !== undefined && now
  })
  expect(Date.parse(asked.backup?.nextRun ?? '')).toBeGreaterThan(minute)
})

test.concurrent('A dump that is under way comes to its end first; a deletion starts the server for the last one, which has the data', async () => {
  const name = 'busy'
  await place.apply(name, spec())
  await ready(place, name)
  await query(place, name, root, rows)
  const session = sql(place, name, root, 'LOCK TABLES shop.notes WRITE; SELECT SLEEP(600)')
  const process = (what: string) =>
    query(place, name, root, `SELECT id FROM information_schema.processlist WHERE ${what}`)
  const id = await eventually('the lock is held', async () => {
    return (await process("info = 'SELECT SLEEP(600)'")) || false
  })
  await place.kubectl('annotate', 'mysql', name, 'backup.otus.homework/requestedAt=now')
  await eventually(
    'the dump waits for the lock',
    async () => (await process("state LIKE 'Waiting for%lock' AND user = 'mysql_operator'")) !== '',
  )
  await suspend(name, true)
  const { status } = await condition(place, name, 'Progressing', 'True', 'Working')
  expect(status?.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True')
  expect(status?.conditions?.find(({ type }) => type === 'Progressing')?.message).toBe(
    `The server is stopped when Job backup-${name}-job has ended.`,
  )
  await query(place, name, root, `KILL ${id}`)
  await session
  const asleep = await sleeps(name)
  expect(asleep.status?.conditions?.find(({ type }) => type === 'BackedUp')).toMatchObject({
    status: 'True',
    reason: 'Succeeded',
  })

  await place.kubectl('delete', 'mysql', name, '--wait=false')
  const seen = await condition(place, name, 'BackedUp', 'Unknown', 'Running')
  expect(seen.status?.message).toContain('The server is started for it, although spec.suspended is true.')
  await gone(place, name, 240)
  await place.apply(name, spec())
  const again = await ready(place, name)
  expect(again.status?.restoredFrom).toMatch(/^busy-.*\.sql\.gz$/)
  expect(await query(place, name, root, select)).toBe('1,2,3')
})

test.concurrent('A MySQL that is made suspended gets its database when it is resumed; deleted before, it leaves nothing', async () => {
  for (const name of ['unborn', 'stillborn']) await place.apply(name, spec({ suspended: true }))
  await Promise.all(['unborn', 'stillborn'].map(sleeps))
  expect(await names('statefulset', 'unborn')).toHaveLength(1)
  await place.kubectl('delete', 'mysql', 'stillborn', '--wait=false')
  await gone(place, 'stillborn')
  expect(await names('pvc', 'stillborn-pvc')).toEqual([])
  await suspend('unborn', false)
  await ready(place, 'unborn')
  expect(await query(place, 'unborn', root, "SHOW DATABASES LIKE 'shop'")).toBe('shop')
})
