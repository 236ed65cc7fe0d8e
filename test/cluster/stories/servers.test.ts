/** MySQL 8.0, as much data still is on it, from its making to its end: everything else is tried on 9.7. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { annotations } from '../../../src/api/names.ts'
import { load } from '../load.ts'
import { progressLog } from '../progress.ts'
import {
  closeSpace,
  condition,
  eventually,
  gone,
  type Login,
  mysql,
  openSpace,
  query,
  ready,
  type Space,
  sql,
  theCluster,
  uniquePassword,
} from './support.ts'

const image = 'mysql:8.0.33'
const database = 'otus-database'

let place: Space

const apply = (name: string, spec: object) =>
  place.cluster.run('kubectl', ['-n', place.namespace, 'apply', '-f', '-'], {
    input: JSON.stringify(mysql(place.namespace, name, { database, ...spec })),
  })

/** `kubectl patch` of the image, stored only if `stored` says so. */
const moveTo = (name: string, to: string, stored: 'stored' | 'dry run') => {
  const patch = ['--type=merge', '-p', JSON.stringify({ spec: { image: to } })]
  return place.attempt(
    'patch',
    'mysql',
    name,
    ...patch,
    ...(stored === 'dry run' ? ['--dry-run=server'] : []),
  )
}

/**
 * Waits until the password is in force, and logs in with it: without TLS first, when the server has not seen it since
 * and has to look at the hash.
 */
const logsIn = async (name: string, login: Login) => {
  const who = () => sql(place, name, { ...login, tls: false }, 'SELECT CURRENT_USER()')
  const first = await eventually(`${login.user} logs in`, async () => {
    const { code, stdout } = await who()
    return code === 0 && stdout
  })
  expect(first).toBe(`${login.user}@%\n`)
  expect(await query(place, name, login, 'SELECT CURRENT_USER()')).toBe(`${login.user}@%`)
}

const isRefused = async (name: string, login: Login) =>
  expect((await sql(place, name, login, 'SELECT 1')).stderr).toContain('ERROR 1045')

/** A Secret of the user's own, made or changed. */
const give = (secret: string, password: string) =>
  place.cluster.run('kubectl', ['-n', place.namespace, 'apply', '--server-side', '-f', '-'], {
    input: JSON.stringify({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: secret },
      stringData: { password },
    }),
  })

beforeAll(async () => {
  const cluster = await theCluster()
  if (cluster.context === undefined) await load(cluster.name, image, progressLog())
  place = await openSpace(cluster, 'servers')
})

afterAll(() => closeSpace(place))

describe('A MySQL of the series 8.0', () => {
  const name = 'older'
  const root = { first: uniquePassword(), second: uniquePassword() }
  const user = { first: ` "'\\$(id)\`${uniquePassword()}`, second: `Grüße\\'" 🐬${uniquePassword()}` }
  const asRoot = (password: string) => ({ user: 'root', password })
  const asUser = (password: string) => ({ user: 'ali', password })
  const spec = { image, userPasswordSecretRef: { name: 'passwords' } }

  it('is made, with a warning that its series has ended, and says its version', async () => {
    await give('passwords', user.first)
    const { stderr } = await apply(name, { ...spec, password: root.first })
    expect(stderr).toContain('Warning: spec.image is of a series that gets no more security fixes')
    const { status } = await ready(place, name)
    expect(status?.version).toBe('8.0.33')
    expect(await query(place, name, asRoot(root.first), 'SELECT VERSION()')).toBe('8.0.33')
  })

  it('lets both accounts log in with TLS and without', async () => {
    await query(place, name, asRoot(root.first), 'FLUSH PRIVILEGES')
    await logsIn(name, asRoot(root.first))
    await logsIn(name, asUser(user.first))
  })

  it('takes another password from the manifest, and one from the Secret', async () => {
    await give('passwords', user.second)
    await apply(name, { ...spec, password: root.second })
    await place.kubectl('annotate', 'mysql', name, `${annotations.requestedAt}=now`)
    await logsIn(name, asRoot(root.second))
    await logsIn(name, asUser(user.second))
    await condition(place, name, 'CredentialsReady', 'True', 'InForce')
    await isRefused(name, asRoot(root.first))
    await isRefused(name, asUser(user.first))
  })

  it('may go to 8.4, and not over it', async () => {
    const { code, stderr } = await moveTo(name, 'mysql:9.7', 'stored')
    expect(code).toBe(1)
    expect(stderr).toContain('spec.image: skips a long-term series, which MySQL does not support')
    expect(await moveTo(name, 'mysql:8.4', 'dry run')).toMatchObject({ code: 0 })
  })

  it('has its data back after a last dump', async () => {
    const use = `USE \`${database}\`;`
    const made =
      'CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(20)); INSERT INTO t VALUES (1, "some data 🐬")'
    await query(place, name, asUser(user.second), `${use} SET NAMES utf8mb4; ${made}`)
    await place.kubectl('delete', 'mysql', name, '--timeout=240s')
    await gone(place, name)
    await apply(name, { ...spec, password: root.second })
    const { status } = await ready(place, name)
    expect(status?.message).toMatch(/^Mysql created from backup older-\d{8}T\d{6}Z\.sql\.gz$/)
    const rows = `${use} SET NAMES utf8mb4; SELECT * FROM t`
    expect(await query(place, name, asUser(user.second), rows)).toBe('1\tsome data 🐬')
    await logsIn(name, asRoot(root.second))
  })
})

describe('A MySQL that was written for 5.7', () => {
  const name = 'oldest'
  const password = { root: uniquePassword(), user: uniquePassword() }
  const root = { user: 'root', password: password.root }
  const inline = { password: password.root, user_password: password.user }
  const plugins = () =>
    query(
      place,
      name,
      root,
      `SELECT user, plugin FROM mysql.user WHERE user IN ('root', 'ali', 'mysql_operator') AND host = '%' ORDER BY 1`,
    )

  it('brings hashes for mysql_native_password to 8.0, and clients log in with them', async () => {
    const { stderr } = await apply(name, { image: 'mysql:5.7.44', ...inline })
    expect(stderr).toContain('Warning: spec.image is older than 8.0 and knows only mysql_native_password')
    expect(await moveTo(name, image, 'stored')).toMatchObject({ code: 0 })
    await ready(place, name)
    expect(await plugins()).toBe(
      'ali\tmysql_native_password\nmysql_operator\tcaching_sha2_password\nroot\tmysql_native_password',
    )
    await logsIn(name, root)
    await logsIn(name, { user: 'ali', password: password.user })
  })

  it('cannot go to 8.4 with them', async () => {
    const { code, stderr } = await moveTo(name, 'mysql:8.4', 'stored')
    expect(code).toBe(1)
    for (const [account, field] of [
      ['root', 'password'],
      ['user', 'user_password'],
    ])
      expect(stderr).toContain(
        `the password of ${account} was hashed for the old image: go to 8.0 first and give spec.${field} again there`,
      )
  })

  it('can, when the same passwords were given again, and the new hashes are in force', async () => {
    await apply(name, { image, ...inline })
    await eventually('the plugin has changed', async () => !(await plugins()).includes('native'))
    await logsIn(name, root)
    await logsIn(name, { user: 'ali', password: password.user })
    expect(await moveTo(name, 'mysql:8.4', 'dry run')).toMatchObject({ code: 0 })
  })
})
