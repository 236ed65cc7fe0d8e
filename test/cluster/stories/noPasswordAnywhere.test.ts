/**
 * The first operator left passwords in the resource, in its annotations, in the Jobs' command lines and environments, and
 * in its log. Here each password is one that exists nowhere else, and it is searched for everywhere.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, inject, test } from 'vitest'
import { annotations, names } from '../../../src/api/names.ts'
import { leaveControl } from './careless.ts'
import { heaps } from './heap.ts'
import { watchPassing } from './passing.ts'
import { lastingPlaces } from './places.ts'
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
import { type Survey, survey } from './survey.ts'
import { forms, searchFor, type Trace } from './traces.ts'

const name = 'vault'
/** Another database, whose root password nobody gives. */
const plain = 'plain'

const inline = {
  'root, inline': uniquePassword(),
  'account, inline': uniquePassword(),
  'root, inline, changed': uniquePassword(),
  'account, inline, changed': uniquePassword(),
  'root, refused together with its manifest': uniquePassword(),
}
const given = {
  'root, from a Secret': uniquePassword(),
  'account, from a Secret': uniquePassword(),
  'account, from the Secret changed': uniquePassword(),
}
// Left wherever the search looks: what it does not find there, it cannot find.
const control = uniquePassword()
/** Known as soon as they are made. */
const generated: Record<string, string> = {}

let place: Space
const traces: Trace[] = []

const asRoot = (password: string) => ({ user: 'root', password })
const asAli = (password: string) => ({ user: 'ali', password })

/** A Secret as `kubectl create` or `replace` makes it, so that no annotation has a copy. */
const give = (verb: 'create' | 'replace', secret: string, password: string) => {
  const manifest = { apiVersion: 'v1', kind: 'Secret', metadata: { name: secret }, stringData: { password } }
  const input = JSON.stringify(manifest)
  return place.cluster.run('kubectl', ['-n', place.namespace, verb, '-f', '-'], { input })
}

const worksFor = (database: string, login: { user: string; password: string }) =>
  eventually(
    `the new password of ${login.user} works in ${database}`,
    async () => (await sql(place, database, login, 'SELECT 1')).code === 0,
  )

const lookNow = (database: string) =>
  place.kubectl('annotate', '--overwrite', 'mysql', database, `${annotations.requestedAt}=${Date.now()}`)

/** Logs that have every statement: what a Job says to the server is in them. */
const logEverything = `SET GLOBAL general_log = ON; SET GLOBAL slow_query_log = ON; SET GLOBAL long_query_time = 0;
  SET GLOBAL log_error_verbosity = 3`

const changeInline = async () => {
  const [password, user_password] = [inline['root, inline, changed'], inline['account, inline, changed']]
  await place.apply(name, { database: 'shop', password: inline['root, inline'], user_password })
  await condition(place, name, 'CredentialsReady', 'True')
  expect(await query(place, name, asAli(user_password), 'SELECT 1')).toBe('1')
  expect((await sql(place, name, asAli(inline['account, inline']), 'SELECT 1')).stderr).toContain('denied')
  await place.apply(name, { database: 'shop', password, user_password })
  await worksFor(name, asRoot(password))
}

const changeToSecrets = async () => {
  await give('create', 'given-root', given['root, from a Secret'])
  await give('create', 'given-account', given['account, from a Secret'])
  const passwordSecretRef = { name: 'given-root' }
  const userPasswordSecretRef = { name: 'given-account' }
  await place.apply(name, { database: 'shop', passwordSecretRef, userPasswordSecretRef })
  await worksFor(name, asRoot(given['root, from a Secret']))
  await worksFor(name, asAli(given['account, from a Secret']))
  await give('replace', 'given-account', given['account, from the Secret changed'])
  await lookNow(name)
  await worksFor(name, asAli(given['account, from the Secret changed']))
}

/** The generated password, which is another one than those before. */
const nextGenerated = (former?: string) =>
  eventually('a password is generated', async () => {
    const args = ['get', 'secret', names.generatedRoot(plain), '-o', 'jsonpath={.data.password}']
    const password = Buffer.from(await place.kubectl(...args), 'base64').toString()
    return password !== '' && password !== former && password
  })

const generate = async () => {
  const first = await nextGenerated()
  generated['root, generated'] = first
  await query(place, plain, asRoot(first), logEverything)
  await place.kubectl('delete', 'secret', names.generatedRoot(plain))
  await lookNow(plain)
  const second = await nextGenerated(first)
  generated['root, generated anew'] = second
  await worksFor(plain, asRoot(second))
}

const report = (title: string, { table }: Survey) => console.log(`${title}: contents, bytes\n${table}`)

const searched = async (title: string, contents: Parameters<typeof survey>[0]) => {
  const found = await survey(contents, searchFor({ ...inline, ...given, ...generated, control }))
  report(title, found)
  traces.push(...found.traces)
}

/** A life: created, a manifest refused, passwords changed in every way, deleted with a dump. */
const live = async () => {
  const { 'root, inline': password, 'account, inline': user_password } = inline
  await place.apply(name, { database: 'shop', password, user_password })
  await place.apply(plain, { database: 'shop' })
  const refused = { database: 'x; id', password: inline['root, refused together with its manifest'] }
  await expect(place.apply('refused', refused)).rejects.toThrow('not a database name')
  await ready(place, name)
  await query(place, name, asRoot(password), logEverything)
  await leaveControl(place, name, asRoot(password), control)
  await changeInline()
  await ready(place, plain)
  await generate()
  await changeToSecrets()
  const lastChange = Date.now()

  await searched('while they live', lastingPlaces(place.cluster, place.namespace))
  // What is promised is the heap ten seconds after; the search above takes about as long.
  await sleep(Math.max(0, lastChange + 10_000 - Date.now()))
  await searched('ten seconds after the last change', heaps(place.cluster, control))
  for (const database of [name, plain]) await place.kubectl('delete', 'mysql', database, '--wait=false')
  await gone(place, name)
  await gone(place, plain)
}

describe.skipIf(inject('cluster').context !== undefined)('A password', () => {
  let looks = 0
  beforeAll(async () => {
    place = await openSpace(await theCluster(), 'vault')
    const stop = watchPassing(place.cluster)
    try {
      await live()
    } finally {
      const watched = await stop()
      looks = watched.looks
      await searched('seen all through', watched.contents)
    }
    await searched('after the deletion', lastingPlaces(place.cluster, place.namespace))
    return () => closeSpace(place)
  })

  const placesOf = (secret: string) =>
    [...new Set(traces.filter((trace) => trace.secret === secret).map((trace) => trace.place))].sort()

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
        'kubelet files',
        'volume data',
        'volume binary log',
        'volume general log',
        'volume slow log',
        'volume dump',
        'command line',
        'environment',
        `log of ${place.namespace}_careless/careless`,
        // The error log.
        `log of ${place.namespace}_${name}-0/mysql`,
        'heap snapshot',
      ]),
    )
  })

  test.each(Object.keys(inline))('(%s) is nowhere, from the creation to the deletion', (secret) => {
    expect(placesOf(secret)).toEqual([])
  })

  const inSecret = (secret: string) => [
    `etcd /registry/secrets/${place.namespace}/${secret}`,
    'etcd files',
    `object Secret/${secret}`,
  ]

  test('in a Secret of the user’s own is there and nowhere else', () => {
    expect(placesOf('root, from a Secret')).toEqual(inSecret('given-root'))
    expect(placesOf('account, from the Secret changed')).toEqual(inSecret('given-account'))
  })

  test('that was generated is in its Secret and nowhere else', () => {
    expect(placesOf('root, generated anew')).toEqual(inSecret(names.generatedRoot(plain)))
  })

  test.each(['account, from a Secret', 'root, generated'])(
    '(%s) that is no longer in its Secret is only where etcd keeps its history',
    (secret) => {
      expect(placesOf(secret)).toEqual(['etcd files'])
    },
  )
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
  ['in HEX', (text: string) => Buffer.from(text).toString('hex').toUpperCase()],
  ['URL-encoded', (text: string) => [...Buffer.from(text)].map((byte) => `%${byte.toString(16)}`).join('')],
])('The search knows a password %s', (_, encode) => {
  const password = uniquePassword()
  const hidden = `before ${encode(password)} after`
  expect(searchFor({ it: password, other: uniquePassword() })('here', hidden)).toEqual([
    { secret: 'it', place: 'here' },
  ])
  for (const form of forms(password)) expect(form.length).toBeGreaterThan(15)
})
