/** The manifest of the first operator, applied unchanged but for the image: S1 to S12, what it always did. */
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { annotations } from '../../../src/api/names.ts'
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
import { onVolume } from './volume.ts'

/** The file as people have it on disk: no namespace, and passwords inline. */
const manifest = (name: string, user?: string) => `apiVersion: otus.homework/v1
kind: MySQL
metadata:
  name: ${name}
spec:
  image: mysql:9.7
  database: otus-database
  password: otuspassword
  storage_size: 1Gi
${user === undefined ? '' : `  user_password: ${user}\n`}`

const short = 'mysql-instance'
/** As long as a name can be; it begins without a password for the account, as older manifests do. */
const long = 'orders-of-a-shop-with-a-very-long-name-x'
const both = [short, long]

const root = { user: 'root', password: 'otuspassword' }
const ali = (password: string) => ({ user: 'ali', password })

interface Object {
  kind: string
  metadata: {
    name: string
    uid: string
    resourceVersion: string
    generation?: number
    labels?: Record<string, string>
    ownerReferences?: object[]
  }
  spec: Record<string, never>
  status: Record<string, never>
}

let place: Space

const apply = (file: string) =>
  place.cluster.run('kubectl', ['-n', place.namespace, 'apply', '-f', '-'], {
    input: file,
    allowFailure: true,
  })

/** Applies the file, and fails with kubectl's words if it is refused. */
const applied = async (file: string) => {
  const { code, stderr } = await apply(file)
  expect(code, stderr).toBe(0)
}

const object = async (...args: string[]): Promise<Object> =>
  JSON.parse(await place.kubectl('get', ...args, '-o', 'json')) as Object

const uidOf = async (...args: string[]) => (await object(...args)).metadata.uid

/** Name, uid and version of all Secrets: equal means that none was made, changed or removed. */
const secrets = async () => {
  const { items } = (await object('secrets')) as unknown as { items: Object[] }
  return items.map(({ metadata: { name, uid, resourceVersion } }) => ({ name, uid, resourceVersion }))
}

/** Everything in the namespace that did not come with it, as `kind/name`. */
const leftovers = async () => {
  const kinds = 'all,pvc,secrets,configmaps,networkpolicies,endpointslices,mysqls'
  const names = await place.kubectl('get', kinds, '-o', 'name')
  return names.split('\n').filter((name) => name !== '' && name !== 'configmap/kube-root-ca.crt')
}

const leftoversOf = async (name: string) => (await leftovers()).filter((one) => one.includes(name))

const insert = 'USE `otus-database`; CREATE TABLE test (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(20));'
const select = 'SELECT * FROM `otus-database`.test ORDER BY id'
const rowsOf = (name: string) => query(place, name, root, select)

/** The lines that `kubectl get jobs --watch` shows until the test ends. */
const watchJobs = (): string[] => {
  const lines: string[] = []
  const args = ['-n', place.namespace, 'get', 'jobs', '--watch', '--no-headers']
  const child = place.cluster.spawn('kubectl', args)
  onTestFinished(() => {
    child.kill()
  })
  createInterface({ input: child.stdout ?? process.stdin }).on('line', (line) => lines.push(line))
  return lines
}

beforeAll(async () => {
  place = await openSpace(await theCluster(), 'old')
  await Promise.all([applied(manifest(short, 's256789')), applied(manifest(long))])
  await Promise.all(both.map((name) => ready(place, name)))
})

afterAll(() => closeSpace(place))

describe.each(both)('A created MySQL called %s', (name) => {
  it('S1: has a data volume, a Service on 3306 and a workload, labelled app, with database and root password set', async () => {
    expect(name.length).toBeLessThanOrEqual(40)
    const claim = await object('pvc', `${name}-pvc`)
    expect(claim.status).toMatchObject({ phase: 'Bound', capacity: { storage: '1Gi' } })
    expect((await object('service', name)).spec).toMatchObject({ ports: [{ port: 3306 }] })
    expect((await object('statefulset', name)).metadata.labels).toMatchObject({ app: name })
    expect((await object('pod', `${name}-0`)).metadata.labels).toMatchObject({ app: name })
    expect(await query(place, name, root, "SHOW DATABASES LIKE 'otus%'")).toBe('otus-database')
  })

  it('S2: has a backup volume that does not belong to it', async () => {
    const claim = await object('pvc', `backup-${name}-pvc`)
    expect(claim.metadata.ownerReferences).toBeUndefined()
    expect(claim.status).toMatchObject({ phase: 'Bound' })
  })

  it('S3: ran a restore Job, which waited for the server instead of failing', async () => {
    const { status } = await object('job', `restore-${name}-job`)
    expect(status).toMatchObject({ succeeded: 1 })
    expect(status).not.toHaveProperty('failed')
  })

  it('S4, S5: says in its status that the database was made, and what each step found', async () => {
    expect((await place.get(name))?.status?.message).toBe('Mysql created')
    const described = await place.kubectl('describe', 'ms', name)
    expect(described).toContain('Mysql created')
    expect(described).toContain('There was no dump on the backup volume')
    expect(described).toContain('Every password that was asked for is in force')
    // The second half of describe: the events.
    expect(described).toMatch(/^Events:\n(.*\n)+\s+Normal\s+Created\s/m)
  })

  it('S11: is shown by kubectl get ms, jobs and pods', async () => {
    expect(await place.kubectl('get', 'ms', name, '--no-headers')).toMatch(
      new RegExp(`^${name}\\s+True\\s+Mysql created\\s+9\\.7\\.\\d+\\s+otus-database\\s+1Gi\\s`),
    )
    expect(await place.kubectl('get', 'jobs', '--no-headers')).toMatch(
      new RegExp(`^restore-${name}-job\\s+Complete\\s+1/1`, 'm'),
    )
    const pods = await place.kubectl('get', 'pods', '--no-headers')
    expect(pods).toMatch(new RegExp(`^${name}-0\\s+1/1\\s+Running\\s+0\\s`, 'm'))
    expect(pods).toMatch(new RegExp(`^restore-${name}-job-\\S+\\s+0/1\\s+Completed\\s+0\\s`, 'm'))
  })
})

describe('A changed MySQL', () => {
  let current = 's256789'

  it('S9: takes a new user_password from kubectl apply, twice, each with a Job of its own and no restart', async () => {
    const pod = await uidOf('pod', `${short}-0`)
    const jobs = new Set<string>()
    for (const next of [uniquePassword(), uniquePassword()]) {
      await query(place, short, ali(current), 'SELECT 1')
      await applied(manifest(short, next))
      await condition(place, short, 'CredentialsReady', 'True', 'InForce')
      await query(place, short, ali(next), 'USE `otus-database`')
      const old = await sql(place, short, ali(current), 'SELECT 1')
      expect(old.stderr).toContain('ERROR 1045')
      const job = await object('job', `password-change-${short}-job`)
      expect(job.status).toMatchObject({ succeeded: 1 })
      jobs.add(job.metadata.uid)
      current = next
    }
    expect(jobs.size).toBe(2)
    expect(await uidOf('pod', `${short}-0`)).toBe(pod)
    await query(place, short, root, 'SELECT 1')
  })

  it('S10: skips the change when user_password is set for the first time, says so, and makes the account', async () => {
    const password = uniquePassword()
    expect((await sql(place, long, ali(password), 'SELECT 1')).stderr).toContain('ERROR 1045')
    await applied(manifest(long, password))
    await condition(place, long, 'CredentialsReady', 'True', 'Skipped')
    await query(place, long, ali(password), 'USE `otus-database`')
    expect(await place.kubectl('describe', 'ms', long)).toContain('no password of ali to change')
  })

  it('S11: shows the Jobs of both changes', async () => {
    const jobs = await place.kubectl('get', 'jobs', '--no-headers')
    for (const name of both) {
      expect(jobs).toMatch(new RegExp(`^password-change-${name}-job\\s+Complete\\s+1/1`, 'm'))
    }
  })

  it('is the same one, in every version number, after the same file was applied again', async () => {
    const settled = await condition(place, short, 'Progressing', 'False', 'Settled')
    const before = await secrets()
    await applied(manifest(short, current))
    expect((await object('ms', short)).metadata).toMatchObject({
      generation: settled.metadata.generation,
      resourceVersion: settled.metadata.resourceVersion,
    })
    await place.kubectl('annotate', 'ms', short, `${annotations.requestedAt}=now`)
    await eventually('the operator looked at it', async () => {
      return (await place.get(short))?.status?.lastHandledReconcileAt === 'now'
    })
    expect(await secrets()).toEqual(before)
  })

  it('S12: is refused without a field that it must have, and nothing of it is made', async () => {
    const { code, stderr } = await apply(manifest('no-database', 's256789').replace(/ {2}database:.*\n/, ''))
    expect(code).toBe(1)
    expect(stderr).toContain('spec.database: is required')
    expect(await leftoversOf('no-database')).toEqual([])
  })
})

describe('A deleted MySQL', () => {
  let dump: string
  let neighbour: string

  it('S6, S7: makes a last dump in a Job; then nothing but the backup volume is left, and the neighbour as it was', async () => {
    await query(place, short, root, `${insert} INSERT INTO test (name) VALUES ('some data'), ('some data-2')`)
    await query(place, long, root, `${insert} INSERT INTO test (name) VALUES ('of the neighbour')`)
    neighbour = await uidOf('pod', `${long}-0`)
    const backups = await uidOf('pvc', `backup-${short}-pvc`)
    const volume = await place.kubectl('get', 'pvc', `${short}-pvc`, '-o', 'jsonpath={.spec.volumeName}')
    expect(await place.kubectl('get', 'pv', '-o', 'name')).toContain(volume)
    const jobs = watchJobs()
    await place.kubectl('delete', 'ms', short, '--timeout=240s')
    expect(jobs.join('\n')).toMatch(new RegExp(`^backup-${short}-job\\s+Complete\\s+1/1`, 'm'))
    await eventually('only the backup claim is left', async () => {
      const left = await leftoversOf(short)
      return left.length === 1 && left[0] === `persistentvolumeclaim/backup-${short}-pvc`
    })
    expect(await uidOf('pvc', `backup-${short}-pvc`)).toBe(backups)
    await eventually('the data volume is gone', async () => {
      const volumes = await place.kubectl('get', 'pv', '-o', 'name')
      return !volumes.includes(volume)
    })
    const files = await onVolume(
      place,
      `backup-${short}-pvc`,
      'ls; gzip -dc *.sql.gz | grep -c "some data-2"',
    )
    expect(files).toMatch(new RegExp(`^(${short}-\\d{8}T\\d{6}Z)\\.json\n\\1\\.sql\\.gz\n1\n$`))
    dump = /\S+\.sql\.gz/.exec(files)?.[0] ?? ''
    expect(await uidOf('pod', `${long}-0`)).toBe(neighbour)
    expect(await rowsOf(long)).toBe('1\tof the neighbour')
  })

  it('S8, S4: has its data back when it is created again, and the passwords of the manifest', async () => {
    const going = place.kubectl('delete', 'ms', long, '--timeout=240s')
    await applied(manifest(short, 's256789'))
    await ready(place, short)
    expect(await rowsOf(short)).toBe('1\tsome data\n2\tsome data-2')
    expect((await place.get(short))?.status?.message).toBe(`Mysql created from backup ${dump}`)
    expect(await place.kubectl('get', 'ms')).toContain(`Mysql created from backup ${dump}`)
    await query(place, short, ali('s256789'), 'USE `otus-database`')
    await going
  })

  it('S7, S8: with a name of 40 characters goes and comes in the same way', async () => {
    await gone(place, long)
    await eventually('only the backup claim is left', async () => {
      const left = await leftoversOf(long)
      return left.length === 1 && left[0] === `persistentvolumeclaim/backup-${long}-pvc`
    })
    await applied(manifest(long))
    await ready(place, long)
    expect(await rowsOf(long)).toBe('1\tof the neighbour')
    expect(await uidOf('pod', `${long}-0`)).not.toBe(neighbour)
  })
})
