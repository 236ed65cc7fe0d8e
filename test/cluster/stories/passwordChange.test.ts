import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, inject, test } from 'vitest'
import { aimAt } from './aim.ts'
import type { Attempt } from './loginProbe.ts'
import { kill, leadership, takeover } from './replicas.ts'
import {
  closeSpace,
  condition,
  eventually,
  openSpace,
  query,
  ready,
  type Space,
  sql,
  theCluster,
  uniquePassword,
} from './support.ts'

const name = 'changing'
const job = `password-change-${name}-job`
let place: Space
/** In force, as the tests before left them. */
const current = { root: uniquePassword(), user: uniquePassword() }

const inline = (more = {}) => ({
  database: 'shop',
  password: current.root,
  user_password: current.user,
  ...more,
})
const secret = (stringData: Record<string, string>) =>
  place.cluster.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'mine', namespace: place.namespace },
    stringData,
  })
const as = (user: string, password: string) => sql(place, name, { user, password }, 'SELECT 1')
const works = async (user: string, password: string) => (await as(user, password)).code === 0
const denied = async (user: string, password: string) =>
  (await as(user, password)).stderr.includes('Access denied')

const inForce = () => condition(place, name, 'CredentialsReady', 'True', 'InForce')
/** Waits until no password before is valid any more. */
const graceOver = () =>
  eventually('the grace period is over', async () => {
    const { root, user } = (await place.get(name))?.status?.credentials ?? {}
    return root !== undefined && !root.oldPasswordUntil && !user?.oldPasswordUntil
  })

beforeAll(async () => {
  place = await openSpace(await theCluster(), 'change')
  await place.apply(name, inline())
  await ready(place, name)
  return () => closeSpace(place)
})

/** Logs in as the account with each of the passwords all the time; the function that it answers ends that. */
const logInAllTheTime = async (...passwords: string[]) => {
  const host = await place.kubectl('get', 'pod', `${name}-0`, '-o', 'jsonpath={.status.podIP}')
  const program = `${import.meta.dirname}/loginProbe.ts`
  const child = place.cluster.spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'] })
  let output = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  const ended = new Promise((resolve) => child.once('close', resolve))
  child.stdin?.write(`${JSON.stringify({ host, user: 'ali', passwords })}\n`)
  return async (): Promise<Attempt[][]> => {
    child.stdin?.end()
    await ended
    return JSON.parse(output)
  }
}

const seconds = (ms: number) => (ms / 1000).toFixed(1)
const of = (outcome: string, attempts: Attempt[]) => attempts.filter((one) => one.outcome === outcome)

describe.skipIf(inject('cluster').context !== undefined)('With a grace period', () => {
  test('no login with the right password fails while it changes, and at the end the old one is refused', async () => {
    const grace = 20
    const before = { ...current }
    Object.assign(current, { root: uniquePassword(), user: uniquePassword() })
    const stop = await logInAllTheTime(before.user, current.user)
    await eventually('both are tried', () => works('ali', before.user))
    const asked = Date.now()
    await place.apply(name, inline({ passwordGraceSeconds: grace }))
    const { status } = await inForce()
    const changed = Date.now()
    expect(status?.conditions?.find(({ type }) => type === 'CredentialsReady')?.message).toMatch(
      /The password of root before it works as well until .*Z\. The password of ali before it works as well until/,
    )
    expect(await works('root', before.root)).toBe(true)
    await graceOver()
    const over = Date.now()
    // Some logins after the end.
    await sleep(1000)
    const [old = [], fresh = []] = await stop()
    const firstWithNew = of('granted', fresh)[0]?.ended ?? 0
    const lastWithOld = of('granted', old).at(-1)?.began ?? 0
    const granted = of('granted', old)
    const rate = granted.length / ((lastWithOld - (granted[0]?.began ?? 0)) / 1000)
    console.log(
      `rotation: in force after ${seconds(changed - asked)} s, the old one ended after ${seconds(over - asked)} s, ` +
        `both valid for ${seconds(lastWithOld - firstWithNew)} s; ` +
        `${old.length + fresh.length} logins made, ${rate.toFixed(0)} a second with the old one`,
    )
    const other = [...old, ...fresh].filter(({ outcome }) => !['granted', 'denied'].includes(outcome))
    expect(other, 'failed for another reason').toEqual([])
    expect(
      of('denied', old).filter(({ began }) => began < changed),
      'the right one, until the status says so',
    ).toEqual([])
    expect(
      of('denied', fresh).filter(({ began }) => began > changed),
      'the right one from then on',
    ).toEqual([])
    // Whoever knows both always had one that works, and for as long as was promised.
    expect(of('denied', fresh).at(-1)?.began).toBeLessThan(of('denied', old)[0]?.began ?? 0)
    expect(lastWithOld - firstWithNew).toBeGreaterThan(grace * 1000 - 1000)
    expect(
      of('granted', old).filter(({ began }) => began > over),
      'the old one at the end',
    ).toEqual([])
    expect(of('denied', old).length).toBeGreaterThan(0)
    expect(await denied('root', before.root)).toBe(true)
    expect(await works('root', current.root)).toBe(true)
    const events = await place.kubectl('get', 'events', '-o', 'jsonpath={.items[*].reason}')
    expect(events).toMatch(/OldPasswordEnded/)
  })

  test('Job, leader and server killed on the way: the last password, and the old one refused', async () => {
    const { cluster, kubectl } = place
    const before = { ...current }
    Object.assign(current, { root: uniquePassword(), user: uniquePassword() })
    const killServer = await aimAt(place, name)
    const { leader, identity } = await leadership(cluster)
    await place.apply(name, inline({ passwordGraceSeconds: 30 }))
    const uid = await eventually('the Job is there', () =>
      kubectl('get', 'job', job, '-o', 'jsonpath={.metadata.uid}').then((found) => found || false),
    )
    kill(leader)
    await killServer()
    await kubectl('delete', 'pod', '-l', `batch.kubernetes.io/controller-uid=${uid}`, '--force')
    await takeover(cluster, identity)
    await inForce()
    await ready(place, name)
    expect(await works('ali', current.user)).toBe(true)
    // Now the Job that ends the password before: killed as well.
    const next = await eventually('the Job that ends the password before', async () => {
      const found = await kubectl('get', 'job', job, '--ignore-not-found', '-o', 'jsonpath={.metadata.uid}')
      return found !== '' && found !== uid && found
    })
    await kubectl('delete', 'pod', '-l', `batch.kubernetes.io/controller-uid=${next}`, '--force')
    await graceOver()
    for (const [user, account] of [
      ['root', 'root'],
      ['ali', 'user'],
    ] as const) {
      expect(await denied(user, before[account])).toBe(true)
      expect(await works(user, current[account])).toBe(true)
    }
  })
})

describe('Without a grace period', () => {
  const first = uniquePassword()
  const second = uniquePassword()
  const change = (spec: object) => place.apply(name, { database: 'shop', passwordGraceSeconds: 0, ...spec })

  test('from inline to a Secret, for both accounts at once, the old ones are refused', async () => {
    await secret({ root: first, user: first })
    const refs = {
      passwordSecretRef: { name: 'mine', key: 'root' },
      userPasswordSecretRef: { name: 'mine', key: 'user' },
    }
    await change(refs)
    await eventually('both are in force', () => works('ali', first))
    await inForce()
    expect(await works('root', first)).toBe(true)
    expect(await denied('ali', current.user)).toBe(true)
    expect(await denied('root', current.root)).toBe(true)
  })

  test('an edit of that Secret is noticed within a minute, and one back to the password before as well', async () => {
    const edited = Date.now()
    await secret({ root: first, user: second })
    await eventually('the new one works', () => works('ali', second), 100)
    console.log(`edit of a Secret: in force after ${((Date.now() - edited) / 1000).toFixed(0)} s`)
    expect(await denied('ali', first)).toBe(true)
    await inForce()
    await secret({ root: first, user: first })
    await place.kubectl('annotate', 'mysql', name, `reconcile.otus.homework/requestedAt=${edited}`)
    await eventually('the one before works again', () => works('ali', first))
    await eventually('and the other one does not', () => denied('ali', second))
    await inForce()
  })

  test('a password that was changed by hand is noticed and left alone, and put back on demand', async () => {
    const ask = (value: string) =>
      place.kubectl('annotate', '--overwrite', 'mysql', name, `reconcile.otus.homework/requestedAt=${value}`)
    const root = { user: 'root', password: first }
    await query(place, name, root, `ALTER USER ali@'%' IDENTIFIED BY '${second}'`)
    await ask('look')
    const { status } = await condition(place, name, 'CredentialsReady', 'False', 'Drifted')
    const found = status?.conditions?.find(({ type }) => type === 'CredentialsReady')
    expect(found?.message).toContain('Somebody changed the password of ali with SQL')
    expect(await works('ali', second)).toBe(true)
    const events = await place.kubectl('get', 'events', '-o', 'jsonpath={.items[*].reason}')
    expect(events).toMatch(/PasswordDrifted/)
    await ask('put it back')
    await inForce()
    expect(await works('ali', first)).toBe(true)
    expect(await denied('ali', second)).toBe(true)
  })
})
