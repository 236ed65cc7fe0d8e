/** The first operator pasted text of the resource into `sh -c`. Here it comes as far as the API server lets it. */
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { Cluster } from '../access.ts'
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
  type Written,
} from './support.ts'
import { onVolume } from './volume.ts'
import { removeWebhooks } from './webhooks.ts'

const pwned = '/tmp/pwned'
const shell = `x; id > ${pwned} #`
// Letters that mean something to a shell, to SQL, to an option file or to YAML, and are all allowed.
const database = 'x$HOME-$1_'
const password = `'"\`\\$(touch ${pwned}); DROP DATABASE mysql; -- # %s\t€ {}`
const account = { user: 'a.b-c_9', password }
const root = { user: 'root', password: `${password}\\` }

let place: Space

const give = async (name: string, text: string) => {
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name },
    data: { password: Buffer.from(text).toString('base64') },
  }
  const input = JSON.stringify(secret)
  await place.cluster.run('kubectl', ['-n', place.namespace, 'create', '-f', '-'], { input })
}

beforeAll(async () => {
  place = await openSpace(await theCluster(), 'hostile')
  await give('given', account.password)
  await place.apply('odd', {
    database,
    user: account.user,
    password: root.password,
    userPasswordSecretRef: { name: 'given' },
  })
  await ready(place, 'odd')
  return () => closeSpace(place)
})

/** Whether a shell in the server's container ran what was pasted into it. */
const isPwned = async () =>
  (await place.attempt('exec', 'odd-0', '-c', 'mysql', '--', 'test', '-e', pwned)).code === 0

describe('Odd but allowed text', () => {
  test('is taken by the letter: database, account and passwords are what was written', async () => {
    expect(await query(place, 'odd', root, 'SHOW DATABASES')).toContain(database)
    expect(await query(place, 'odd', account, 'SELECT CURRENT_USER()')).toBe('a.b-c_9@%')
    await query(place, 'odd', account, `CREATE TABLE \`${database}\`.t (id INT)`)
    // The "_" in a GRANT stands for any letter unless it is escaped.
    const other = database.replace('_', 'z')
    await query(place, 'odd', root, `CREATE DATABASE \`${other}\``)
    expect((await sql(place, 'odd', account, `CREATE TABLE \`${other}\`.t (id INT)`)).stderr).toContain(
      'denied',
    )
    await query(place, 'odd', root, `DROP DATABASE \`${other}\``)
    expect(await isPwned()).toBe(false)
  })

  test('goes through a dump and a restore, with rows and tables that are odder still', async () => {
    // The only place that the Jobs can write to and that outlives them.
    const pwned = '/backup-odd-pv/pwned'
    const rows = `CREATE TABLE \`t\`\`; \\! touch ${pwned}\` (t TEXT); INSERT INTO \`t\`\`; \\! touch ${pwned}\` VALUES ('\\\\! touch ${pwned}\\n\\\\! touch ${pwned}')`
    await query(place, 'odd', root, `USE \`${database}\`; ${rows}`)
    const content = `SELECT HEX(t) FROM \`${database}\`.\`t\`\`; \\! touch ${pwned}\``
    const before = await query(place, 'odd', root, content)
    await place.kubectl('delete', 'mysql', 'odd', '--wait=false')
    await gone(place, 'odd')
    await place.apply('odd', { database, user: account.user, password: root.password })
    const { status } = await ready(place, 'odd')
    expect(status?.message).toMatch(/^Mysql created from backup/)
    expect(await query(place, 'odd', root, content)).toBe(before)
    expect(await onVolume(place, 'backup-odd-pvc', 'ls')).not.toContain('pwned')
  })
})

test('The first operator’s line runs what such a text says', async () => {
  const old = `mysqldump -h localhost -u root ${shell} > /tmp/dump.sql`
  await place.attempt('exec', 'odd-0', '-c', 'mysql', '--', 'sh', '-c', old)
  expect(await isPwned()).toBe(true)
  await place.kubectl('exec', 'odd-0', '-c', 'mysql', '--', 'rm', pwned)
})

/** Takes all CEL out of the CRD, as if an old one were installed; answers how to put it back. */
const blindCrd = async (cluster: Cluster) => {
  const args = ['crd', 'mysqls.otus.homework', '--show-managed-fields', '-o', 'json']
  const before = JSON.parse(await cluster.kubectl('get', ...args)) as {
    metadata: { managedFields: unknown }
    spec: { versions: { schema: { openAPIV3Schema: unknown } }[] }
  }
  const patch = (...operations: object[]) =>
    cluster.kubectl('patch', 'crd', 'mysqls.otus.homework', '--type=json', '-p', JSON.stringify(operations))
  const path = '/spec/versions/0/schema/openAPIV3Schema'
  const rules = 'x-kubernetes-validations'
  await patch(
    { op: 'remove', path: `${path}/${rules}` },
    { op: 'remove', path: `${path}/properties/spec/${rules}` },
  )
  return async () => {
    await patch({ op: 'replace', path, value: before.spec.versions[0]?.schema.openAPIV3Schema })
    // Otherwise the fields would belong to this test, and helm could not change them any more.
    await patch({ op: 'replace', path: '/metadata/managedFields', value: before.metadata.managedFields })
  }
}

describe('With neither webhooks nor rules in the CRD', () => {
  const hostile: Record<string, Written> = {
    database: { database: shell },
    account: { database: 'shop', user: "a'@'%'; DROP DATABASE x; --" },
    dump: { database: 'shop', restore: { from: '../../../etc/passwd' } },
    image: { database: 'shop', image: `mysql:9.7; id > ${pwned}` },
  }
  const kinds = 'statefulsets,pods,jobs,services,configmaps,networkpolicies,persistentvolumeclaims'
  const madeFor = (name: string) =>
    place.kubectl('get', kinds, '-l', `app.kubernetes.io/instance=${name}`, '-o', 'name')

  test('the operator refuses by itself: it says what is wrong, and makes nothing', async () => {
    const { cluster } = place
    // The rules come back before the webhooks, and both whatever happens.
    const putBack: (() => Promise<void>)[] = []
    onTestFinished(async () => {
      for (const undo of putBack.reverse()) await undo()
    })
    putBack.push(await removeWebhooks(cluster))
    putBack.push(await blindCrd(cluster))
    await Promise.all(
      Object.entries(hostile).map(([name, spec]) =>
        // The API server takes a moment to learn of another schema.
        eventually(`${name} is stored`, () =>
          place.apply(name, { ...spec, passwordSecretRef: { name: 'given' } }),
        ),
      ),
    )
    for (const name of Object.keys(hostile)) {
      const { status } = await condition(place, name, 'Degraded', 'True', 'Invalid')
      expect(status?.message).toMatch(/^spec\.[a-z.]+ is /)
      expect(await madeFor(name)).toBe('')
    }
  })

  test('what came in so can be deleted when the rules are back', async () => {
    await place.kubectl('delete', 'mysql', ...Object.keys(hostile), '--wait=false')
    await Promise.all(Object.keys(hostile).map((name) => gone(place, name)))
    for (const name of Object.keys(hostile)) expect(await madeFor(name)).toBe('')
  })
})
