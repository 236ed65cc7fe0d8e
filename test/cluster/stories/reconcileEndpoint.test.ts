import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { reach } from './https.ts'
import { leadership } from './replicas.ts'
import {
  closeSpace,
  condition,
  eventually,
  openSpace,
  query,
  ready,
  type Space,
  theCluster,
  uniquePassword,
} from './support.ts'

const name = 'asked'
const account = 'release-pipeline'
const stranger = 'stranger'
const passwords = { first: uniquePassword(), second: uniquePassword(), third: uniquePassword() }

let place: Space
/** To the leader, and to the other one. */
const ways: Awaited<ReturnType<typeof reach>>[] = []
const tokens = { right: '', wrong: '' }

const writeSecret = (password: string) =>
  place.cluster.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'mine', namespace: place.namespace },
    stringData: { password },
  })

afterAll(async () => {
  for (const way of ways) way.close()
  await closeSpace(place)
})

beforeAll(async () => {
  place = await openSpace(await theCluster(), 'ask')
  const { cluster, kubectl } = place
  await writeSecret(passwords.first)
  await place.apply(name, { database: 'shop', passwordSecretRef: { name: 'mine' } })
  for (const who of [account, stranger]) await kubectl('create', 'serviceaccount', who)
  await kubectl('create', 'role', 'databases', '--verb=get,update', '--resource=mysqls.otus.homework')
  const subject = `--serviceaccount=${place.namespace}:${account}`
  await kubectl('create', 'rolebinding', 'databases', '--role=databases', subject)
  tokens.right = (await kubectl('create', 'token', account)).trim()
  tokens.wrong = (await kubectl('create', 'token', stranger)).trim()
  const { leader, other } = await leadership(cluster)
  for (const replica of [leader, other]) ways.push(await reach(cluster, replica))
  await ready(place, name)
})

describe.for(['leader', 'other'] as const)('POST /reconcile on the replica that is the %s one', (which) => {
  const post = (more: { token?: string; query?: string; name?: string }) => {
    const request = ways[which === 'leader' ? 0 : 1]?.send
    if (!request) throw new Error('no way to the replica')
    const body = { namespace: place.namespace, name: more.name ?? name }
    const path = `/reconcile${more.query ?? ''}`
    return request({ path, body, ...(more.token === undefined ? {} : { token: more.token }) })
  }

  test('refuses who does not say who they are', async () => {
    expect(await post({})).toMatchObject({ code: 401 })
    expect(await post({ token: 'eyJhbGciOiJub25lIn0.e30.' })).toMatchObject({ code: 401 })
  })

  test('refuses an account that may not update the resource, whether it exists or not', async () => {
    expect(await post({ token: tokens.wrong })).toMatchObject({ code: 403 })
    expect(await post({ token: tokens.wrong, name: 'nobody' })).toMatchObject({ code: 403 })
  })

  test('does not know a resource that is not there', async () => {
    expect(await post({ token: tokens.right, name: 'nobody' })).toMatchObject({ code: 404 })
  })

  test('accepts, and the leader handles it', async () => {
    const { code, body } = await post({ token: tokens.right })
    expect(code).toBe(202)
    const { requestedAt } = body as { requestedAt: string }
    await eventually('the request is handled', async () => {
      const found = await place.get(name)
      return found?.status?.lastHandledReconcileAt === requestedAt
    })
  })

  test('waits if it is asked to, and says what was done: a new password is taken from the Secret at once', async () => {
    const password = which === 'leader' ? passwords.second : passwords.third
    await writeSecret(password)
    const { code, body } = await post({ token: tokens.right, query: '?wait=30s' })
    expect(code).toBe(200)
    const changing = expect.objectContaining({ type: 'CredentialsReady', reason: 'Changing' })
    expect(body).toMatchObject({
      conditions: expect.arrayContaining([changing]),
      // The Job of the change before is removed first, where there is one.
      did: [
        expect.stringMatching(`^created Secret ${name}-root-`),
        expect.stringMatching(/^(created|removed) Job password-change-asked-job$/),
      ],
      next: expect.any(Number),
    })
    await condition(place, name, 'CredentialsReady', 'True')
    expect(await query(place, name, { user: 'root', password }, 'SELECT 1')).toBe('1')
  })
})
