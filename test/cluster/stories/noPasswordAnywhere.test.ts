/**
 * The first operator left passwords in the resource, in its annotations, in the Jobs' command lines and environments, and
 * in its log. Here each password is one that exists nowhere else, and it is searched for everywhere.
 */
import { beforeAll, describe, expect, inject, test } from 'vitest'
import { searchEverywhere, watchProcesses } from './places.ts'
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
import { forms, searchFor, type Trace } from './traces.ts'

const name = 'vault'
const secrets = {
  'root, inline': uniquePassword(),
  'account, inline': uniquePassword(),
  'account, inline, changed': uniquePassword(),
  'root, refused together with its manifest': uniquePassword(),
  'root, from a Secret': uniquePassword(),
  // Left wherever the search looks: what it does not find there, it cannot find.
  control: uniquePassword(),
}
const root = { user: 'root', password: secrets['root, inline'] }
const ali = (password: string) => ({ user: 'ali', password })

let place: Space
const traces: Trace[] = []

/** A Secret as `kubectl create` makes it, so that no annotation has a copy. */
const give = (secret: string, password: string) => {
  const manifest = { apiVersion: 'v1', kind: 'Secret', metadata: { name: secret }, stringData: { password } }
  return place.cluster.run('kubectl', ['-n', place.namespace, 'create', '-f', '-'], {
    input: JSON.stringify(manifest),
  })
}

/** What the first operator's Jobs were like: the password in the environment, in a command line, and in a log. */
const careless = (password: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'careless' },
  spec: {
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 0,
    securityContext: { runAsNonRoot: true, runAsUser: 999, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [
      {
        name: 'careless',
        image: 'mysql:9.7',
        command: ['bash', '-c', 'echo "$1"; sleep 3600; :', 'mysqldump', `-p${password}`],
        env: [{ name: 'MYSQL_PWD', value: password }],
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
      },
    ],
  },
})

const carelessEvent = (password: string) => ({
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name: 'careless' },
  involvedObject: { kind: 'Pod', name: 'careless', namespace: place.namespace },
  reason: 'Failed',
  type: 'Warning',
  message: `mysqldump -p${password} ended with 2`,
})

/** Leaves the control in every place. */
const leaveControl = async (password: string) => {
  await give('control', password)
  for (const manifest of [careless(password), carelessEvent(password)]) {
    const input = JSON.stringify(manifest)
    await place.cluster.run('kubectl', ['-n', place.namespace, 'create', '-f', '-'], { input })
  }
  // A label selector is part of the request's address, which the audit log has.
  await place.kubectl('get', 'secrets', '-l', `password=${password}`)
  await query(
    place,
    name,
    root,
    `CREATE TABLE shop.careless (t TEXT); INSERT INTO shop.careless VALUES ('${password}')`,
  )
  await place.kubectl('wait', 'pod/careless', '--for=condition=Ready', '--timeout=60s')
}

const inForce = () => condition(place, name, 'CredentialsReady', 'True')

/** A life: created, a manifest refused, passwords changed in both ways, deleted with a dump. */
const live = async () => {
  const { 'root, inline': password, 'account, inline': user_password } = secrets
  await place.apply(name, { database: 'shop', password, user_password })
  const refused = { database: 'x; id', password: secrets['root, refused together with its manifest'] }
  await expect(place.apply('refused', refused)).rejects.toThrow('not a database name')
  await ready(place, name)
  await leaveControl(secrets.control)

  const changed = secrets['account, inline, changed']
  await place.apply(name, { database: 'shop', password, user_password: changed })
  await inForce()
  expect(await query(place, name, ali(changed), 'SELECT 1')).toBe('1')
  expect((await sql(place, name, ali(user_password), 'SELECT 1')).stderr).toContain('Access denied')

  const given = { user: 'root', password: secrets['root, from a Secret'] }
  await give('given', given.password)
  await place.apply(name, { database: 'shop', passwordSecretRef: { name: 'given' }, user_password: changed })
  await eventually(
    'the password from the Secret works',
    async () => (await sql(place, name, given, 'SELECT 1')).code === 0,
  )
  traces.push(...(await searchEverywhere(place.cluster, place.namespace, searchFor(secrets))))
  await place.kubectl('delete', 'mysql', name, '--wait=false')
  await gone(place, name)
}

describe.skipIf(inject('cluster').context !== undefined)('A password', () => {
  let looks = 0
  beforeAll(async () => {
    place = await openSpace(await theCluster(), 'vault')
    const search = searchFor(secrets)
    const stop = watchProcesses(place.cluster, search)
    try {
      await live()
    } finally {
      const watched = await stop()
      looks = watched.looks
      traces.push(...watched.found)
    }
    traces.push(...(await searchEverywhere(place.cluster, place.namespace, search)))
    return () => closeSpace(place)
  })

  const placesOf = (secret: keyof typeof secrets) => [
    ...new Set(traces.filter((trace) => trace.secret === secret).map((trace) => trace.place)),
  ]

  test('that is left lying about is found by this search in every kind of place', () => {
    expect(looks).toBeGreaterThan(50)
    expect(placesOf('control')).toEqual(
      expect.arrayContaining([
        `etcd /registry/secrets/${place.namespace}/control`,
        `etcd /registry/pods/${place.namespace}/careless`,
        'etcd files',
        'object Secret/control',
        'object Pod/careless',
        'object Event/careless',
        'audit log',
        'volume file',
        'volume dump',
        'command line',
        'environment',
        'container log',
      ]),
    )
  })

  test.each([
    'root, inline',
    'account, inline',
    'account, inline, changed',
    'root, refused together with its manifest',
  ] as const)('(%s) is nowhere, from the creation to the deletion', (secret) => {
    expect(placesOf(secret)).toEqual([])
  })

  test('in a Secret of the user’s own is there and nowhere else', () => {
    expect(placesOf('root, from a Secret').sort()).toEqual([
      `etcd /registry/secrets/${place.namespace}/given`,
      'etcd files',
      'object Secret/given',
    ])
  })
})

test.each([
  ['raw', (text: string) => text],
  ['in base64', (text: string) => Buffer.from(text).toString('base64')],
  ['in base64 behind one byte', (text: string) => Buffer.from(`x${text}yz`).toString('base64')],
  ['in base64 behind two bytes', (text: string) => Buffer.from(`{"${text}"`).toString('base64')],
  [
    'in base64 of base64',
    (text: string) => Buffer.from(Buffer.from(text).toString('base64')).toString('base64'),
  ],
  ['in hex', (text: string) => Buffer.from(text).toString('hex')],
  ['URL-encoded', (text: string) => [...Buffer.from(text)].map((byte) => `%${byte.toString(16)}`).join('')],
])('The search knows a password %s', (_, encode) => {
  const password = uniquePassword()
  const hidden = `before ${encode(password)} after`
  expect(searchFor({ it: password, other: uniquePassword() })('here', hidden)).toEqual([
    { secret: 'it', place: 'here' },
  ])
  for (const form of forms(password)) expect(form.length).toBeGreaterThan(15)
})
