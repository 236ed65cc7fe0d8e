/** Ten thousand rows outlive every fault, and a deletion ends with the data exactly where its policy says. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { annotations } from '../../../src/api/names.ts'
import { release } from '../install.ts'
import { aimAt } from './aim.ts'
import { bothReady, replicas } from './replicas.ts'
import {
  closeSpace,
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
import { onVolume } from './volume.ts'

const database = 'shop'
const root = { user: 'root', password: uniquePassword() }
const spec = { database, password: root.password, storage_size: '1Gi' }

let place: Space

const fill = (rows: number) => `
  USE shop;
  SET SESSION cte_max_recursion_depth = ${rows};
  CREATE TABLE orders (
    id INT PRIMARY KEY, customer VARCHAR(80) NOT NULL, cents BIGINT NOT NULL, note TEXT, placed DATETIME(6) NOT NULL,
    receipt BLOB, KEY (customer));
  INSERT INTO orders
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
    SELECT i, CONCAT('Kunde Müller ', SHA2(i, 224)), i * 7919 % 1000003, IF(i % 5 = 0, NULL, REPEAT('€''"\\n', i % 9)),
      TIMESTAMPADD(MICROSECOND, i * 1234567, '2024-02-29 23:59:59'), UNHEX(SHA2(i, 256)) FROM n;`

/** Row count and checksum: equal means that no row was lost, added or changed. */
const contents = 'SELECT COUNT(*) FROM shop.orders; CHECKSUM TABLE shop.orders'
const content = (name: string, login = root) => query(place, name, login, contents)

interface Pod {
  metadata: { uid: string }
  status: {
    containerStatuses?: {
      restartCount: number
      lastState?: { terminated?: { exitCode: number } }
    }[]
  }
}

const pod = async (name: string) => {
  const found = JSON.parse(await place.kubectl('get', 'pod', `${name}-0`, '-o', 'json')) as Pod
  const server = found.status.containerStatuses?.[0]
  return {
    uid: found.metadata.uid,
    restarts: server?.restartCount ?? -1,
    exitCode: server?.lastState?.terminated?.exitCode,
  }
}

const podIsReady = (name: string) =>
  place.kubectl('wait', `pod/${name}-0`, '--for=condition=Ready', '--timeout=240s')

const claimUid = (name: string) => place.kubectl('get', 'pvc', name, '-o', 'jsonpath={.metadata.uid}')

/** What is left of one MySQL, as `kind/name`. */
const leftoversOf = async (name: string) => {
  const kinds = 'all,pvc,secrets,configmaps,networkpolicies,mysqls'
  const names = await place.kubectl('get', kinds, '-o', 'name')
  return names
    .split('\n')
    .filter((one) => one.includes(name))
    .sort()
}

const leaves = (name: string, ...claims: string[]) =>
  eventually(`only ${claims.join(' and ')} left of ${name}`, async () => {
    const expected = claims.map((claim) => `persistentvolumeclaim/${claim}`).sort()
    return String(await leftoversOf(name)) === String(expected)
  })

beforeAll(async () => {
  place = await openSpace(await theCluster(), 'data')
  await Promise.all([
    place.apply('ledger', spec),
    place.apply('keeper', { ...spec, deletionPolicy: 'Retain' }),
    place.apply('scratch', { ...spec, deletionPolicy: 'Delete', deletionProtection: true }),
  ])
  await Promise.all(
    ['ledger', 'keeper', 'scratch'].map(async (name) => {
      await ready(place, name)
      await query(place, name, root, fill(name === 'ledger' ? 10_000 : 100))
    }),
  )
})

afterAll(() => closeSpace(place))

describe('Ten thousand rows', () => {
  let before: string

  beforeAll(async () => {
    before = await content('ledger')
    expect(before).toMatch(/^10000\nshop\.orders\t[1-9]\d+$/)
  })

  it('survive a kill -9 of the server', async () => {
    const { uid, restarts } = await pod('ledger')
    const crash = await aimAt(place, 'ledger')
    // Acknowledged a moment before, so that only the logs have it.
    const last = "UPDATE shop.orders SET note = 'the last word' WHERE id = 10000"
    const after = await query(place, 'ledger', root, `${last}; ${contents}`)
    await crash()
    expect(after).not.toBe(before)
    before = after
    await eventually('the container was started again', async () => {
      const now = await pod('ledger')
      return now.restarts > restarts && now.exitCode !== 0
    })
    await podIsReady('ledger')
    expect(await content('ledger')).toBe(before)
    expect((await pod('ledger')).uid).toBe(uid)
  })

  it('survive the deletion of the pod', async () => {
    const { uid } = await pod('ledger')
    await place.kubectl('delete', 'pod', 'ledger-0', '--timeout=240s')
    await eventually('there is another pod', async () => (await pod('ledger')).uid !== uid)
    await podIsReady('ledger')
    expect(await content('ledger')).toBe(before)
  })

  it('do not notice that all of the operator dies at once; it comes back in spite of its own webhooks', async () => {
    const server = await pod('ledger')
    for (const kind of ['mutating', 'validating']) {
      const policy = 'jsonpath={.webhooks[*].failurePolicy}'
      const webhooks = await place.kubectl('get', `${kind}webhookconfiguration`, release, '-o', policy)
      expect(webhooks).toBe('Fail')
    }
    const old = await bothReady(place.cluster)
    const names = old.map(({ name }) => `pod/${name}`)
    await place.cluster.kubectl(
      '-n',
      'mysql-operator',
      'delete',
      ...names,
      '--grace-period=1',
      '--wait=false',
    )
    await eventually('no old replica is left', async () => {
      const now = await replicas(place.cluster)
      return now.every(({ uid }) => old.every((one) => one.uid !== uid))
    })
    const fresh = await bothReady(place.cluster)
    expect(fresh.map(({ uid }) => uid)).not.toContain(old[0]?.uid)
    // The webhooks answer: without them the inline password would be refused. And somebody reconciles.
    await place.apply('ledger', spec)
    await place.kubectl('annotate', 'mysql', 'ledger', `${annotations.requestedAt}=now`)
    await eventually('the operator looked at it', async () => {
      return (await place.get('ledger'))?.status?.lastHandledReconcileAt === 'now'
    })
    expect(await pod('ledger')).toEqual(server)
    expect(await content('ledger')).toBe(before)
  })

  it('are there again when the resource was deleted and created', async () => {
    const claim = await claimUid('ledger-pvc')
    const dumps = await claimUid('backup-ledger-pvc')
    await place.kubectl('delete', 'mysql', 'ledger', '--timeout=240s')
    await leaves('ledger', 'backup-ledger-pvc')
    await place.apply('ledger', spec)
    const { status } = await ready(place, 'ledger')
    expect(status?.message).toMatch(/^Mysql created from backup ledger-\d{8}T\d{6}Z\.sql\.gz$/)
    expect(await content('ledger')).toBe(before)
    expect(await claimUid('ledger-pvc')).not.toBe(claim)
    expect(await claimUid('backup-ledger-pvc')).toBe(dumps)
  })
})

describe('deletionPolicy Retain', () => {
  it('leaves the data volume, which the next MySQL of that name takes over, with its own password', async () => {
    const before = await content('keeper')
    expect(before).toMatch(/^100\n/)
    const claim = await claimUid('keeper-pvc')
    await place.kubectl('delete', 'mysql', 'keeper', '--timeout=240s')
    await leaves('keeper', 'backup-keeper-pvc', 'keeper-pvc')
    expect(await onVolume(place, 'backup-keeper-pvc', 'ls')).toBe('')
    const next = { user: 'root', password: uniquePassword() }
    await place.apply('keeper', { ...spec, password: next.password, deletionPolicy: 'Retain' })
    await ready(place, 'keeper')
    await eventually('the new password is in force', async () => {
      return (await sql(place, 'keeper', next, 'SELECT 1')).code === 0
    })
    expect(await content('keeper', next)).toBe(before)
    expect(await claimUid('keeper-pvc')).toBe(claim)
    expect((await sql(place, 'keeper', root, 'SELECT 1')).stderr).toContain('ERROR 1045')
  })
})

describe('deletionProtection', () => {
  it('refuses kubectl delete and says how to go on; done so, deletionPolicy Delete leaves no data and no dump', async () => {
    const { code, stderr } = await place.attempt('delete', 'mysql', 'scratch', '--wait=false')
    expect(code).toBe(1)
    const remedy = /kubectl -n (\S+) patch mysql scratch --type merge -p '([^']*)'/.exec(stderr)
    expect(remedy?.[1], stderr).toBe(place.namespace)
    expect((await place.get('scratch'))?.metadata.deletionTimestamp).toBeUndefined()
    expect(await content('scratch')).toMatch(/^100\n/)
    await place.kubectl('patch', 'mysql', 'scratch', '--type', 'merge', '-p', remedy?.[2] ?? '')
    await place.kubectl('delete', 'mysql', 'scratch', '--timeout=240s')
    await gone(place, 'scratch')
    await leaves('scratch', 'backup-scratch-pvc')
    expect(await onVolume(place, 'backup-scratch-pvc', 'ls')).toBe('')
  })
})
