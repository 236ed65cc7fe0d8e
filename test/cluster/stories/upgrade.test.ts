/** Other images, which no server gets before a dump was made; and another operator, which no server notices. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import { annotations } from '../../../src/api/names.ts'
import { chart, installOperator } from '../install.ts'
import { load, tag } from '../load.ts'
import { progressLog } from '../progress.ts'
import { bulk } from './bulk.ts'
import { bothReady } from './replicas.ts'
import {
  closeSpace,
  condition,
  eventually,
  openSpace,
  query,
  ready,
  type Space,
  theCluster,
  uniquePassword,
} from './support.ts'
import { fillVolume, onVolume } from './volume.ts'

const [current, newer, oldest] = ['mysql:9.7', 'mysql:9.7.4', 'mysql:8.0.33']
/** The server of the series 9.7 under a name that does not tell. */
const unreadable = 'mysql:next'

const root = { user: 'root', password: uniquePassword() }
const spec = (image: string) => ({ database: 'shop', password: root.password, image })
const rows = 'CREATE TABLE shop.notes (id INT PRIMARY KEY); INSERT INTO shop.notes VALUES (1), (2), (3)'
const select = 'SELECT GROUP_CONCAT(id) FROM shop.notes'

// Only in a cluster of this machine an image gets a second name, and a volume can be filled.
const foreign = inject('cluster').context !== undefined

let place: Space
beforeAll(async () => {
  const cluster = await theCluster()
  if (!foreign) {
    await tag(cluster.name, current, newer)
    await tag(cluster.name, current, unreadable)
    await load(cluster.name, oldest, progressLog())
  }
  place = await openSpace(cluster, 'upgrade')
  return () => closeSpace(place)
})

interface Server {
  metadata: { uid: string; creationTimestamp: string }
  spec: { containers: { image: string }[] }
  status: { containerStatuses: { restartCount: number }[] }
}

const json = async <T>(...args: string[]): Promise<T> =>
  JSON.parse(await place.kubectl('get', ...args, '-o', 'json')) as T
const server = (name: string) => json<Server>('pod', `${name}-0`)
const imageOf = ({ spec: { containers } }: Server) => containers[0]?.image

const move = (name: string, image: string) =>
  place.kubectl('patch', 'mysql', name, '--type=merge', '-p', JSON.stringify({ spec: { image } }))

const begin = async (name: string, image: string) => {
  await place.apply(name, spec(image))
  await ready(place, name)
  await query(place, name, root, rows)
  return server(name)
}

/** Waits until the server of that image answers, and that is noted. */
const servedBy = async (name: string, image: string): Promise<Server> => {
  const path = `jsonpath={.metadata.annotations.otus\\.homework/server-image} {.metadata.annotations.otus\\.homework/upgrade-dump}`
  await eventually(
    `${name} is served by ${image}`,
    async () => (await place.kubectl('get', 'pvc', `${name}-pvc`, '-o', path)) === `${image} `,
    240,
  )
  await ready(place, name)
  const found = await server(name)
  expect(imageOf(found)).toBe(image)
  return found
}

const dumps = async (name: string) =>
  (await onVolume(place, `backup-${name}-pvc`, 'ls | grep json$ || true')).split('\n').filter(Boolean)

// Dumps that fail are tried three times before their Job has failed.
describe.skipIf(foreign)('Another image', { timeout: 600_000 }, () => {
  test.concurrent('of the same series is started after a dump by the server before', async () => {
    const name = 'within'
    const before = await begin(name, current)
    await move(name, newer)
    const after = await servedBy(name, newer)
    expect(after.metadata.uid).not.toBe(before.metadata.uid)
    const job = await json<{
      metadata: { annotations: Record<string, string> }
      spec: { template: Server }
      status: { completionTime: string }
    }>('job', `backup-${name}-job`)
    expect(job.metadata.annotations[annotations.beforeUpgradeTo]).toBe(newer)
    expect(imageOf(job.spec.template)).toBe(current)
    expect(Date.parse(after.metadata.creationTimestamp)).toBeGreaterThanOrEqual(
      Date.parse(job.status.completionTime),
    )
    expect(await dumps(name)).toHaveLength(1)
    expect(await query(place, name, root, select)).toBe('1,2,3')
  })

  test.concurrent('whose dump fails is not started, and both printed ways out work', async () => {
    const name = 'blocked'
    const before = await begin(name, current)
    await query(place, name, root, bulk)
    const repair = await fillVolume(place, `backup-${name}-pvc`)
    const blocked = async () => {
      await move(name, newer)
      const { status } = await condition(place, name, 'UpgradeBlocked', 'True', 'BackupFailed')
      expect(status?.message).toContain('is the backup volume full?')
      expect((await server(name)).metadata.uid).toBe(before.metadata.uid)
      expect(await query(place, name, root, select)).toBe('1,2,3')
      return status?.message?.match(/kubectl .*?'\{.*?\}'/g) ?? []
    }
    const run = (command = '') => place.cluster.run('bash', ['-c', command])
    const [go, stay] = await blocked()
    await run(stay)
    await eventually('it is not blocked any more', async () => {
      const { status, spec } = (await place.get(name)) ?? {}
      return spec?.image === current && !status?.conditions?.some(({ type }) => type === 'UpgradeBlocked')
    })
    expect((await server(name)).metadata.uid).toBe(before.metadata.uid)
    expect((await blocked())[0]).toBe(go)
    await run(go)
    expect((await servedBy(name, newer)).metadata.uid).not.toBe(before.metadata.uid)
    expect(await query(place, name, root, select)).toBe('1,2,3')
    await repair()
    expect(await dumps(name)).toEqual([])
  })

  test.concurrent('whose server cannot take the data over makes way for the one before', async () => {
    const name = 'wrong'
    await begin(name, oldest)
    await move(name, unreadable)
    const { status } = await condition(place, name, 'Degraded', 'True', 'Error')
    expect(status?.version, 'no version but of a server that answered').toBe('8.0.33')
    expect(imageOf(await server(name))).toBe(unreadable)
    expect(await dumps(name)).toHaveLength(1)
    await move(name, oldest)
    await servedBy(name, oldest)
    expect(await query(place, name, root, select)).toBe('1,2,3')
    expect(await dumps(name)).toHaveLength(1)
  })
})

describe('Another operator', () => {
  /** What would differ if a server had been stopped, or its workload written. */
  const state = async (name: string) => {
    const { metadata, status } = await server(name)
    const workload = await json<{ metadata: object }>('statefulset', name)
    return {
      uid: metadata.uid,
      restarts: status.containerStatuses[0]?.restartCount,
      workload: workload.metadata,
      claim: (await json<{ metadata: object }>('pvc', `${name}-pvc`)).metadata,
    }
  }

  test('of another version of the chart, on other pods, restarts no database', async () => {
    const { cluster } = place
    const name = 'steady'
    await begin(name, current)
    await condition(place, name, 'Progressing', 'False', 'Settled')
    const folder = mkdtempSync(join(tmpdir(), 'mysql-operator-chart-'))
    onTestFinished(async () => {
      rmSync(folder, { recursive: true })
      await installOperator(cluster)
    })
    const before = await state(name)
    const replicas = await bothReady(cluster)
    cpSync(chart, folder, { recursive: true })
    const file = join(folder, 'Chart.yaml')
    const next = readFileSync(file, 'utf8').replaceAll(/^(version|appVersion): .*$/gm, '$1: 99.0.0')
    writeFileSync(file, next)
    await installOperator(cluster, { 'podAnnotations.upgraded': 'yes' }, folder)
    const after = await bothReady(cluster)
    expect(after.filter(({ uid }) => replicas.some((one) => one.uid === uid))).toEqual([])
    await place.kubectl('annotate', 'mysql', name, `${annotations.requestedAt}=now`)
    await eventually('the new operator has looked at it', async () => {
      return (await place.get(name))?.status?.lastHandledReconcileAt === 'now'
    })
    expect(await state(name)).toEqual(before)
    expect(await query(place, name, root, select)).toBe('1,2,3')
  })
})
