/** What went wrong with the first operator between a creation and a deletion, looked for on two MySQLs of one name. */
import { beforeAll, describe, expect, test } from 'vitest'
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

const name = 'mysql-instance'
const jobs = `-l=${labels.instance}=${name}`

interface Home {
  place: Space
  root: { user: string; password: string }
  ali: { user: string; password: string }
}

let one: Home
let two: Home
let before: { cluster: string[]; default: string[] }

const specOf = ({ root, ali }: Home) => ({
  database: 'otus-database',
  password: root.password,
  user_password: ali.password,
})

const namesOf = async (...args: string[]) =>
  (await one.place.cluster.kubectl('get', ...args, '--ignore-not-found', '-o', 'name'))
    .split('\n')
    .filter(Boolean)
    .sort()

/** Names of everything that is in no namespace, but for the namespaces themselves. */
const clusterScoped = async () => {
  const kinds = await one.place.cluster.kubectl(
    'api-resources',
    '--namespaced=false',
    '--verbs=list',
    '-o',
    'name',
  )
  const list = kinds.split('\n').filter((kind) => kind !== '' && kind !== 'namespaces')
  return namesOf(list.join(','))
}

const inDefault = () => namesOf('-n', 'default', 'all,jobs,pvc,secrets,configmaps')

beforeAll(async () => {
  const cluster = await theCluster()
  const home = async (prefix: string): Promise<Home> => ({
    place: await openSpace(cluster, prefix),
    root: { user: 'root', password: uniquePassword() },
    ali: { user: 'ali', password: uniquePassword() },
  })
  one = await home('one')
  two = await home('two')
  before = { cluster: await clusterScoped(), default: await inDefault() }
  await Promise.all([one, two].map(({ place, ...rest }) => place.apply(name, specOf({ place, ...rest }))))
  await Promise.all([one, two].map(({ place }) => ready(place, name)))
  return async () => {
    await Promise.all([one, two].map(({ place }) => closeSpace(place)))
  }
})

test('Two resources of one name have each their own objects in their own namespace, and none is in default', async () => {
  for (const { place } of [one, two]) {
    expect(await place.kubectl('get', 'jobs', jobs, '-o', 'name')).toContain(
      `job.batch/restore-${name}-job\n`,
    )
    expect(await place.kubectl('get', 'pods', '-o', 'name')).toContain(`pod/${name}-0\n`)
  }
  expect(await inDefault()).toEqual(before.default)
  await query(one.place, name, one.root, 'CREATE TABLE `otus-database`.here (id INT)')
  expect(await query(two.place, name, two.root, 'SHOW TABLES FROM `otus-database`')).toBe('')
  const { stderr } = await sql(two.place, name, one.root, 'SELECT 1')
  expect(stderr).toContain('Access denied')
})

interface Pods {
  items: {
    status: {
      phase: string
      containerStatuses: { restartCount: number; state: { terminated: { startedAt: string } } }[]
    }
  }[]
}

test('The restore waits for a server that is not up yet: one pod, no restart, no failure', async () => {
  for (const { place } of [one, two]) {
    // That it had to wait is what makes this a test.
    expect(await place.kubectl('logs', `job/restore-${name}-job`)).toMatch(/^waiting for mysql-instance-0\./m)
    const pods = await place.kubectl('get', 'pods', '-l', `job-name=restore-${name}-job`, '-o', 'json')
    const { items } = JSON.parse(pods) as Pods
    expect(items.map(({ status }) => [status.phase, status.containerStatuses[0]?.restartCount])).toEqual([
      ['Succeeded', 0],
    ])
    const counts = 'jsonpath={.status.succeeded} {.status.failed}'
    expect(await place.kubectl('get', 'job', `restore-${name}-job`, '-o', counts)).toBe('1 ')
  }
})

describe('A password that is changed', () => {
  test('three times at once is in the end the last one, and nothing failed on the way', async () => {
    const { place, ali } = one
    const passwords = [uniquePassword(), uniquePassword(), uniquePassword()]
    for (const password of passwords) await place.apply(name, specOf({ ...one, ali: { ...ali, password } }))
    const last = passwords.at(-1) ?? ''
    await eventually(
      'the last password works',
      async () => (await sql(place, name, { ...ali, password: last }, 'SELECT 1')).code === 0,
    )
    await condition(place, name, 'CredentialsReady', 'True', 'InForce')
    for (const password of [ali.password, ...passwords.slice(0, -1)]) {
      expect((await sql(place, name, { ...ali, password }, 'SELECT 1')).stderr).toContain('Access denied')
    }
    expect(await query(place, name, { ...ali, password: last }, 'SELECT 1')).toBe('1')
    const counts = 'jsonpath={.status.succeeded} {.status.failed}'
    expect(await place.kubectl('get', 'job', `password-change-${name}-job`, '-o', counts)).toBe('1 ')
    const warnings = [
      'get',
      'events',
      '--field-selector',
      'type=Warning',
      '-o',
      'jsonpath={.items[*].message}',
    ]
    expect(await place.kubectl(...warnings)).not.toMatch(/already exists|PasswordChangeFailed/i)
    one.ali.password = last
  })

  test('by hand in MySQL, without the operator’s knowing, can still be changed by the operator', async () => {
    const { place, root, ali } = two
    const lost = uniquePassword()
    await query(
      place,
      name,
      root,
      `ALTER USER root@'%' IDENTIFIED BY '${lost}', root@localhost IDENTIFIED BY '${lost}', ali@'%' IDENTIFIED BY '${lost}'`,
    )
    expect((await sql(place, name, root, 'SELECT 1')).stderr).toContain('Access denied')
    const next = {
      ...two,
      root: { ...root, password: uniquePassword() },
      ali: { ...ali, password: uniquePassword() },
    }
    await place.apply(name, specOf(next))
    await condition(place, name, 'CredentialsReady', 'True', 'InForce')
    for (const login of [next.root, next.ali]) {
      expect(await query(place, name, login, 'SELECT 1')).toBe('1')
      expect((await sql(place, name, { ...login, password: lost }, 'SELECT 1')).stderr).toContain(
        'Access denied',
      )
    }
    two = next
  })
})

interface Volumes {
  items: {
    metadata: { name: string; ownerReferences?: unknown[] }
    spec: { claimRef: { namespace: string; name: string } }
  }[]
}

const volumes = async () => {
  const { items } = JSON.parse(await one.place.cluster.kubectl('get', 'pv', '-o', 'json')) as Volumes
  const ours = [one.place.namespace, two.place.namespace]
  return items.filter(({ spec }) => ours.includes(spec.claimRef.namespace))
}

test('No volume belongs to a resource, and when all is gone nothing is left outside of the namespaces', async () => {
  expect(await volumes()).toHaveLength(4)
  expect((await volumes()).filter(({ metadata }) => metadata.ownerReferences !== undefined)).toEqual([])
  await Promise.all([one, two].map(({ place }) => place.kubectl('delete', 'mysql', name, '--wait=false')))
  await Promise.all([one, two].map(({ place }) => gone(place, name)))
  await eventually('only the volumes with dumps are left', async () => {
    const left = (await volumes()).map(({ spec }) => spec.claimRef.name)
    return String(left) === `backup-${name}-pvc,backup-${name}-pvc`
  })
  for (const { place } of [one, two]) await place.kubectl('delete', 'pvc', `backup-${name}-pvc`)
  await eventually('nothing is left', async () => (await volumes()).length === 0)
  const left = await clusterScoped()
  expect(left.filter((object) => !before.cluster.includes(object))).toEqual([])
})
