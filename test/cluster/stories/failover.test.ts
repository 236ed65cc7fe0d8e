import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import { installOperator, release } from '../install.ts'
import { bothReady, holder, kill, leadership, replicas, scale, takeover } from './replicas.ts'
import {
  closeSpace,
  condition,
  eventually,
  gone,
  mysql,
  openSpace,
  query,
  ready,
  type Space,
  sql,
  theCluster,
  uniquePassword,
} from './support.ts'
import { onVolume } from './volume.ts'

// The names say what each is doing when the leader is killed.
const [coming, changing, leaving] = ['coming', 'changing', 'leaving']
const passwords = { root: uniquePassword(), old: uniquePassword(), new: uniquePassword() }
const root = { user: 'root', password: passwords.root }
const ali = (password: string) => ({ user: 'ali', password })
const spec = (more = {}) => ({
  database: 'shop',
  password: passwords.root,
  user_password: passwords.old,
  ...more,
})

let place: Space

beforeAll(async () => {
  place = await openSpace(await theCluster(), 'failover')
  return () => closeSpace(place)
})

/** A session of root's that holds a lock until it is killed. */
const hold = async (name: string, lock: string) => {
  const session = sql(place, name, root, `${lock}; SELECT SLEEP(600)`)
  const sleeper = "SELECT id FROM information_schema.processlist WHERE info = 'SELECT SLEEP(600)'"
  const id = await eventually(`${lock} is held`, () =>
    query(place, name, root, sleeper).then((id) => id || false),
  )
  return async () => {
    await query(place, name, root, `KILL ${id}`)
    await session
  }
}

/** Waits until a statement of the operator's waits for the lock that the test holds. */
const blocked = (name: string) =>
  eventually(`a Job waits in ${name}`, async () => {
    const waiting =
      "SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE 'Waiting for%lock' AND user = 'mysql_operator'"
    return (await query(place, name, root, waiting)) === '1'
  })

/** The uid of a Job that has neither succeeded nor failed. */
const unfinished = async (job: string): Promise<string> => {
  const found = JSON.parse(await place.kubectl('get', 'job', job, '-o', 'json'))
  expect(found.status.conditions ?? []).toEqual([])
  expect(found.status.active).toBe(1)
  return found.metadata.uid
}

const silentServer = `require('node:net').createServer((socket) => {
  socket.on('error', () => undefined)
  console.log('asked')
}).listen(0, '127.0.0.1', function () { console.log(this.address().port) })`

const lineOf = async (child: ChildProcess) => String((await once(child.stdout ?? child, 'data'))[0]).trim()

/** An admission webhook that never answers: whoever creates a StatefulSet in the namespace waits, in the middle of it. */
const stallStatefulSets = async () => {
  const { cluster, namespace } = place
  const server = cluster.spawn(process.execPath, ['-e', silentServer], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const port = await lineOf(server)
  const asked = lineOf(server)
  const name = `stall-${namespace}`
  await cluster.apply({
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name },
    webhooks: [
      {
        name: 'stall.test.example',
        clientConfig: { url: `https://127.0.0.1:${port}/` },
        rules: [
          {
            apiGroups: ['apps'],
            apiVersions: ['v1'],
            operations: ['CREATE'],
            resources: ['statefulsets'],
          },
        ],
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
        failurePolicy: 'Ignore',
        timeoutSeconds: 30,
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
      },
    ],
  })
  const release = async () => {
    await cluster.kubectl('delete', 'validatingwebhookconfiguration', name, '--ignore-not-found')
    server.kill()
  }
  return { asked, release }
}

const names = async (...args: string[]) =>
  (await place.kubectl('get', ...args, '-o', 'name')).split('\n').filter(Boolean)

describe.skipIf(inject('cluster').context !== undefined)(
  'The leader, killed with SIGKILL in the middle of a create, a password change and a delete',
  () => {
    let before: string
    let passwordJob: string
    let hashes: string[]

    beforeAll(async () => {
      for (const name of [changing, leaving]) await place.apply(name, spec())
      await Promise.all([changing, leaving].map((name) => ready(place, name)))
      const table =
        'CREATE TABLE shop.notes (id INT PRIMARY KEY); INSERT INTO shop.notes VALUES (1), (2), (3)'
      await query(place, leaving, root, table)
      const { leader, identity } = await leadership(place.cluster)
      before = identity

      const releasePassword = await hold(changing, 'FLUSH TABLES WITH READ LOCK')
      const releaseDump = await hold(leaving, 'LOCK TABLES shop.notes WRITE')
      const stall = await stallStatefulSets()
      try {
        await place.apply(changing, spec({ user_password: passwords.new }))
        await place.kubectl('delete', 'mysql', leaving, '--wait=false')
        await Promise.all([blocked(changing), blocked(leaving)])
        await place.apply(coming, spec())
        await stall.asked

        // The three are in the middle of it, and still are after the kill.
        hashes = await names('secrets', '--field-selector=type=otus.homework/mysql-password-hash')
        passwordJob = await unfinished(`password-change-${changing}-job`)
        await unfinished(`backup-${leaving}-job`)
        expect(await holder(place.cluster)).toBe(before)
        kill(leader)
        expect(await names('networkpolicy', coming)).toHaveLength(1)
        expect(await names('statefulset', coming, '--ignore-not-found')).toEqual([])
        await unfinished(`password-change-${changing}-job`)
        await unfinished(`backup-${leaving}-job`)
      } finally {
        await Promise.all([stall.release(), releasePassword(), releaseDump()])
      }
      const [after] = await Promise.all([
        takeover(place.cluster, before),
        // Nobody leads while these two come to their end.
        ...[`password-change-${changing}-job`].map((job) =>
          place.kubectl('wait', `job/${job}`, '--for=condition=Complete', '--timeout=60s'),
        ),
      ])
      expect(after.startsWith(leader.name)).toBe(false)
    })

    test('the database that was being made is Ready, and both accounts can log in', async () => {
      await ready(place, coming)
      expect(await query(place, coming, root, 'SELECT 1')).toBe('1')
      expect(await query(place, coming, ali(passwords.old), 'SELECT DATABASE() IS NULL')).toBe('1')
    })

    test('the password that was being changed is the new one, by the Job that was running', async () => {
      await condition(place, changing, 'CredentialsReady', 'True')
      expect(await query(place, changing, ali(passwords.new), 'SELECT 1')).toBe('1')
      expect((await sql(place, changing, ali(passwords.old), 'SELECT 1')).stderr).toMatch('Access denied')
      const path = 'jsonpath={.metadata.uid}'
      expect(await place.kubectl('get', 'job', `password-change-${changing}-job`, '-o', path)).toBe(
        passwordJob,
      )
      await eventually('the hash that is out of force is gone', async () => {
        const now = await names('secrets', '--field-selector=type=otus.homework/mysql-password-hash')
        return hashes.some((secret) => secret.includes(changing) && !now.includes(secret))
      })
    })

    test('the database that was being deleted is gone, and comes back from its last dump', async () => {
      await gone(place, leaving)
      await place.apply(leaving, spec())
      await ready(place, leaving)
      const { status } = await condition(place, leaving, 'Restored', 'True', 'FromBackup')
      expect(status?.restoredFrom).toMatch(/^leaving-.*\.sql\.gz$/)
      expect(await query(place, leaving, root, 'SELECT GROUP_CONCAT(id) FROM shop.notes')).toBe('1,2,3')
    })
  },
)

describe('With no replica and no webhooks', () => {
  const given = uniquePassword()

  beforeAll(async () => {
    // Both may be there from before; on another cluster they are not.
    await place.apply(changing, spec({ user_password: passwords.new }))
    await place.apply(coming, spec())
    await Promise.all([changing, coming].map((name) => ready(place, name)))
    await query(place, coming, root, 'CREATE TABLE shop.late (id INT)')
  })

  test('what is changed and deleted meanwhile is caught up with when the operator returns', async () => {
    const { cluster, namespace } = place
    onTestFinished(async () => installOperator(cluster))
    await cluster.kubectl('delete', 'mutatingwebhookconfiguration,validatingwebhookconfiguration', release)
    await scale(cluster, 0)

    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'given', namespace } }
    await cluster.apply({ ...secret, stringData: { password: given } })
    await place.apply(changing, { database: 'shop', userPasswordSecretRef: { name: 'given' } })
    await place.kubectl('delete', 'mysql', coming, '--wait=false')

    // Nobody noticed.
    expect((await place.get(coming))?.metadata.deletionTimestamp).toBeDefined()
    expect(await names('job', `backup-${coming}-job`, '--ignore-not-found')).toEqual([])
    expect(await query(place, changing, ali(passwords.new), 'SELECT 1')).toBe('1')

    await installOperator(cluster)
    await Promise.all([
      condition(place, changing, 'CredentialsReady', 'True', 'InForce'),
      gone(place, coming),
    ])
    expect(await query(place, changing, ali(given), 'SELECT 1')).toBe('1')
    expect((await sql(place, changing, ali(passwords.new), 'SELECT 1')).stderr).toMatch('Access denied')
    const dump = await onVolume(place, `backup-${coming}-pvc`, `gzip -dc ${coming}-*.sql.gz`)
    expect(dump).toContain('CREATE TABLE `late`')
  })

  test('both replicas come back although the webhooks fail closed, and the next apply is accepted', async () => {
    const { cluster } = place
    const before = await bothReady(cluster)
    const pods = before.map(({ name }) => name)
    // New replicas find no node until the refusal was seen: otherwise they may be back before it.
    const nodes = ['--selector', 'kubernetes.io/os=linux']
    onTestFinished(async () => void (await cluster.kubectl('uncordon', ...nodes)))
    await cluster.kubectl('cordon', ...nodes)
    await cluster.kubectl('-n', release, 'delete', 'pod', ...pods, '--grace-period=0', '--force')
    const change = { ...spec(), userPasswordSecretRef: undefined }
    // A dry run asks the webhooks too, and changes nothing while an old replica still answers.
    const input = JSON.stringify(mysql(place.namespace, changing, change))
    await eventually('an apply is refused', async () => {
      const tried = await cluster.run('kubectl', ['apply', '--dry-run=server', '-f', '-'], {
        allowFailure: true,
        input,
      })
      return tried.stderr.includes('failed calling webhook')
    })
    await cluster.kubectl('uncordon', ...nodes)

    await eventually('apply works again', () => place.apply(changing, change))
    const after = await replicas(cluster)
    expect(after.filter(({ name }) => pods.includes(name))).toEqual([])
    await condition(place, changing, 'CredentialsReady', 'True', 'InForce')
    expect(await query(place, changing, ali(passwords.old), 'SELECT 1')).toBe('1')
    await bothReady(cluster)
  })
})
