import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { release } from '../install.ts'
import { auditMark, countRequests, describeRequest, isLease, isWrite, requestsSince } from './audit.ts'
import { bothReady, holder, takeover } from './replicas.ts'
import {
  closeSpace,
  eventually,
  openSpace,
  ready,
  type Space,
  theCluster,
  uniquePassword,
} from './support.ts'

const spec = () => ({ database: 'shop', password: uniquePassword(), user_password: uniquePassword() })

/** How long the operator is watched while nothing happens, in seconds. */
const watched = 60

describe.skipIf(inject('cluster').context !== undefined)('The operator and the API server', () => {
  let first: Space
  let others: Space
  const spaces: Space[] = []
  const databases = () => [
    [first, 'first'] as const,
    ...['second', 'third'].map((name) => [others, name] as const),
  ]

  /** What the operator wrote since the mark, apart from the Lease's renewals. */
  const writesSince = (mark: number) =>
    requestsSince(first.cluster, mark).filter((request) => isWrite(request) && !isLease(request))

  /** Waits until nothing but the Lease was written for some seconds. */
  const settled = async () => {
    let mark = auditMark(first.cluster)
    let since = Date.now()
    await eventually('the operator has settled', async () => {
      if (writesSince(mark).length > 0) {
        mark = auditMark(first.cluster)
        since = Date.now()
      }
      return Date.now() - since > 8_000
    })
  }

  let atCreate: number

  afterAll(async () => {
    for (const place of spaces) await closeSpace(place)
  })

  beforeAll(async () => {
    const cluster = await theCluster()
    const open = async () => {
      const place = await openSpace(cluster, 'idle')
      spaces.push(place)
      return place
    }
    first = await open()
    others = await open()
    atCreate = auditMark(cluster)
    for (const [place, name] of databases()) await place.apply(name, spec())
    await Promise.all(databases().map(([place, name]) => ready(place, name)))
    await settled()
  })

  test('making one database takes a modest number of requests', () => {
    const all = requestsSince(first.cluster, atCreate)
    const own = all.filter(({ objectRef }) => objectRef?.namespace === first.namespace)
    const lines = countRequests(own).map(([what, count]) => `${String(count).padStart(4)} ${what}`)
    console.log(`requests for one create: ${own.length}\n${lines.join('\n')}`)
    // Generous, and still far below what a loop that never settles asks for.
    expect(own.filter(isWrite).length).toBeGreaterThan(10)
    expect(own.filter(isWrite).length).toBeLessThan(60)
    expect(own.length).toBeLessThan(250)
  })

  test('while nothing happens nothing is written but the Lease', async () => {
    const mark = auditMark(first.cluster)
    await sleep(watched * 1000)
    const writes = requestsSince(first.cluster, mark).filter(isWrite)
    expect(writes.filter(isLease).length).toBeGreaterThan(watched / 10)
    expect(writes.filter((write) => !isLease(write)).map(describeRequest)).toEqual([])
  })

  test('a restart with nothing to do writes nothing to any database', async () => {
    const { cluster } = first
    const before = await holder(cluster)
    const mark = auditMark(cluster)
    await cluster.kubectl('-n', release, 'rollout', 'restart', `deployment/${release}`)
    await cluster.kubectl('-n', release, 'rollout', 'status', `deployment/${release}`, '--timeout=120s')
    await bothReady(cluster)
    const after = await takeover(cluster, before ?? '')
    // The new leader looks at everything once: it reads the Secrets of each database.
    await eventually(`${after} has looked at every database`, async () => {
      const seen = requestsSince(cluster, mark).map(
        ({ objectRef }) => `${objectRef?.namespace}/${objectRef?.name}`,
      )
      return databases().every(([place, name]) => seen.includes(`${place.namespace}/${name}-operator`))
    })
    await settled()
    const elsewhere = writesSince(mark).filter(({ objectRef }) => objectRef?.namespace !== release)
    expect(elsewhere.map(describeRequest)).toEqual([])
  })
})
