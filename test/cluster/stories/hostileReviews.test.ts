/** The operator's pods under reviews that no API server sends, as guesses of passwords, and with the port closed to strangers. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import { review } from '../../admission/fixtures.ts'
import { flaw, hostileReviews } from '../../admission/hostile.ts'
import { issue } from '../certificates.ts'
import { webhookClient } from '../controlplane.ts'
import { installOperator, release } from '../install.ts'
import { holder, processOf } from '../replicas.ts'
import { direct, type Post } from './direct.ts'
import { reach } from './https.ts'
import { bothReady, leadership, type Replica } from './replicas.ts'
import { openSlowly } from './slow.ts'
import { closeSpace, mysql, openSpace, type Space, theCluster, uniquePassword } from './support.ts'
import { webhooksRun } from './webhooks.ts'

const cluster = await theCluster()
const secret = uniquePassword()
const paths = ['/mutate', '/validate']

let place: Space
beforeAll(async () => {
  place = await openSpace(cluster, 'hostile')
})
afterAll(() => closeSpace(place))

/** Of the process, in bytes. */
const residentMemory = (replica: Replica): number => {
  const status = readFileSync(`/proc/${processOf(replica)}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024
}

const logsOf = (replica: Replica) => cluster.kubectl('-n', release, 'logs', replica.name)

/** What is read of a file takes it whole, and a body that is refused by its length alone may break the connection. */
const corpus = hostileReviews(secret).filter(({ body }) => body.length < 7.3e6)

describe.skipIf(inject('cluster').context !== undefined)('The leader', () => {
  test('answers every hostile review, keeps the Lease and its memory, and logs nothing of them', async () => {
    const { leader, identity } = await leadership(cluster)
    const post = await direct(cluster, leader)
    const send = async (path: string) => {
      const sent = corpus.map(({ body, type }) => ({ path, body, ...(type === undefined ? {} : { type }) }))
      const answers = await post(sent)
      return answers.map(({ code, text }, i) => {
        const { what, body, answer } = corpus[i] ?? { what: '', body: '' }
        // Only /mutate reads annotations and takes passwords out.
        const wanted = path === '/mutate' && answer !== undefined ? { answer } : {}
        return [what, flaw({ what, body, ...wanted }, code, text, secret)]
      })
    }
    const fine = corpus.map(({ what }) => [what, undefined])
    for (const path of paths) expect(await send(path)).toEqual(fine)
    const before = residentMemory(leader)
    expect(await send('/mutate')).toEqual(fine)
    // Of the 384 MiB that the pod may have; and a second round takes no more than what was not given back yet.
    const after = residentMemory(leader)
    console.log(`resident: ${Math.round(before / 1e6)} MB, after another round ${Math.round(after / 1e6)} MB`)
    expect(after).toBeLessThan(300e6)
    expect(await holder(cluster)).toBe(identity)
    const now = (await bothReady(cluster)).find(({ uid }) => uid === leader.uid)
    expect(now?.containerID).toBe(leader.containerID)
    expect(await logsOf(leader)).not.toContain(secret)
  })
})

test('Connections that send a byte now and then take no replica down, and a MySQL can be written meanwhile', async () => {
  const before = await bothReady(cluster)
  // More than one address may have, and it is that of the API server and of the kubelet.
  onTestFinished(await openSlowly(cluster, before, 410))
  for (const replica of before) {
    const post = await direct(cluster, replica)
    // Each comes with a connection of its own.
    const answers = await post(Array.from({ length: 10 }, () => ({ path: '/readyz' })))
    expect(answers.map(({ code }) => code)).toEqual(answers.map(() => 200))
  }
  for (let i = 0; i < 5; i++)
    await place.apply('meanwhile', {
      database: 'shop',
      nodeSelector: { none: 'such' },
      passwordGraceSeconds: i,
    })
  const after = await bothReady(cluster)
  expect(after.map(({ containerID }) => containerID).sort()).toEqual(
    before.map(({ containerID }) => containerID).sort(),
  )
  if (inject('cluster').context !== undefined) return
  for (const replica of after) expect(residentMemory(replica)).toBeLessThan(300e6)
})

test('Guesses of a password are stopped on each replica, and a person who comes then waits some seconds at most', async () => {
  await place.apply('guessed', { database: 'shop', password: secret, nodeSelector: { none: 'such' } })
  const stored = await place.get('guessed')
  const guess = (password: string) => {
    const object = { ...stored, spec: { ...stored?.spec, password } }
    return { path: '/mutate', body: JSON.stringify(review(object, stored, { namespace: place.namespace })) }
  }
  const said = ({ text }: { text: string }) => JSON.parse(text).response.status?.code ?? 200
  for (const replica of await bothReady(cluster)) {
    const post = await direct(cluster, replica)
    const wrong = (await post(Array.from({ length: 12 }, () => guess(uniquePassword())))).map(said)
    expect(wrong.indexOf(429)).toBeGreaterThan(3)
    const [answer] = await post([guess(secret)])
    const { status } = JSON.parse(answer?.text ?? '').response
    // The right password is told as little.
    expect(status).toMatchObject({ code: 429, reason: 'TooManyRequests' })
    expect(status.details.retryAfterSeconds).toBeLessThanOrEqual(6)
    expect(status.message).toMatch(/try again \(\d+ seconds\)/)
  }
  // kubectl waits as long as it is told, and asks again by itself.
  await place.apply('guessed', {
    database: 'shop',
    password: uniquePassword(),
    nodeSelector: { none: 'such' },
  })
})

const pki = (file: string) => readFileSync(join(cluster.stateDir ?? '', 'pki', file), 'utf8')

describe.skipIf(inject('cluster').context !== undefined)('Where the chart knows the API servers', () => {
  const good = () =>
    JSON.stringify(
      review({ ...mysql(place.namespace, 'shop', { database: 'shop' }) }, null, {
        namespace: place.namespace,
      }),
    )
  const reviews = () => paths.map((path) => ({ path, body: good() }))
  const codes = async (answers: ReturnType<Post>) => (await answers).map(({ code }) => code)
  let replica: Replica

  beforeAll(async () => {
    await installOperator(cluster, {
      'webhook.clientCA': pki('ca.crt'),
      'webhook.clientNames': `{${webhookClient}}`,
      'networkPolicy.apiServerCIDRs': '{10.244.0.0/15}',
    })
    replica = (await bothReady(cluster))[0] as Replica
  })
  afterAll(async () => {
    await installOperator(cluster)
    await bothReady(cluster)
    await webhooksRun(cluster)
  })

  test('the API server’s reviews are answered', async () => {
    await place.apply('known', { database: 'shop', password: secret, nodeSelector: { none: 'such' } })
    expect((await place.get('known'))?.spec.passwordSecretRef?.name).toMatch(/^known-root-/)
    const wrong = place.apply('wrong', { database: 'shop', storageClassName: 'no-such-class' })
    await expect(wrong).rejects.toThrow('names a StorageClass that does not exist')
  })

  test('reviews with another certificate, or with none, are not, and health and metrics are', async () => {
    const post = await direct(cluster, replica)
    const open = [{ path: '/livez' }, { path: '/readyz' }, { path: '/metrics' }]
    expect(await codes(post([...reviews(), ...open]))).toEqual([403, 403, 200, 200, 200])
    const authority = { cert: pki('ca.crt'), key: pki('ca.key') }
    expect(await codes(post(reviews(), await issue(authority, { commonName: webhookClient })))).toEqual([
      200, 200,
    ])
    // Of the same CA: every kubelet has one.
    expect(
      await codes(post(reviews(), await issue(authority, { commonName: 'system:node:node-1' }))),
    ).toEqual([403, 403])
  })

  test('reviews from another address are not', async () => {
    const { send, close } = await reach(cluster, replica)
    onTestFinished(close)
    const { code, body } = await send({ path: '/mutate', body: JSON.parse(good()) })
    expect([code, body]).toEqual([403, expect.stringContaining('networkPolicy.apiServerCIDRs')])
    expect(await send({ method: 'GET', path: '/livez' })).toMatchObject({ code: 200 })
  })
})
