import { afterEach, beforeEach, expect, it } from 'vitest'
import { createClient } from '../../src/kube/client.ts'
import { createRecorder, events, type Recorder } from '../../src/kube/events.ts'
import { FakeClock } from './fakeClock.ts'
import { type FakeServer, startFakeServer } from './fakeServer.ts'

const mysql = {
  apiVersion: 'otus.homework/v1',
  kind: 'MySQL',
  metadata: { namespace: 'shop', name: 'db', uid: 'uid-1' },
}

let server: FakeServer
let clock: FakeClock
let errors: unknown[]
let record: Recorder
beforeEach(async () => {
  server = await startFakeServer()
  clock = new FakeClock()
  errors = []
  const onError = (error: unknown) => errors.push(error)
  record = createRecorder(createClient(server.connection, { clock }), { instance: 'pod-1', onError, clock })
})
afterEach(() => server.stop())

const stored = () => [...server.store.objects.values()]

it('says what happened to whom', async () => {
  await record(mysql, events.BackupFailed, 'the volume is full; grow it')
  expect(stored()).toHaveLength(1)
  expect(stored()[0]).toMatchObject({
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { namespace: 'shop' },
    reason: 'BackupFailed',
    type: 'Warning',
    action: 'Backup',
    note: 'the volume is full; grow it',
    eventTime: '2030-01-01T00:00:01.000000Z',
    reportingController: 'mysql-operator',
    reportingInstance: 'pod-1',
    regarding: { ...mysql.metadata, apiVersion: mysql.apiVersion, kind: 'MySQL' },
  })
})

it('counts what happens again and again, and writes that no more than once a minute', async () => {
  for (let n = 0; n < 20; n++) {
    await record(mysql, events.BackupFailed, 'full')
    await clock.advance(10_000)
  }
  expect(stored()).toHaveLength(1)
  expect(stored()[0]?.series).toEqual({ count: 5, lastObservedTime: '2030-01-01T00:03:11.000000Z' })
  expect(server.writes().filter((seen) => seen.method === 'PATCH')).toHaveLength(4)
})

it('tells apart what is said of others, what else is said, and what is said much later', async () => {
  await record(mysql, events.BackupFailed, 'full')
  await record(mysql, events.BackupFailed, 'gone')
  await record(mysql, events.Invalid, 'full')
  await record({ ...mysql, metadata: { ...mysql.metadata, uid: 'uid-2' } }, events.BackupFailed, 'full')
  await clock.advance(600_000)
  await record(mysql, events.BackupFailed, 'full')
  expect(stored()).toHaveLength(5)
})

it('shortens a note to what the server takes, without cutting a character in two', async () => {
  await record(mysql, events.Invalid, `x${'é'.repeat(600)}`)
  const note = String(stored()[0]?.note)
  expect(Buffer.byteLength(note)).toBeLessThanOrEqual(1024)
  expect(note).toMatch(/^xé{500,}…$/)
})

it('never throws', async () => {
  const due = server.inject({ do: 'status', code: 500 }, () => true)
  await record(mysql, events.Created, 'done')
  expect(due.left()).toBe(0)
  expect(errors).toMatchObject([{ code: 500 }])
})

it('has a reason in every line that is the name of that line', () => {
  for (const [name, event] of Object.entries(events)) expect(event.reason).toBe(name)
})
