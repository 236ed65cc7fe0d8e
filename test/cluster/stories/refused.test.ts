/** Wrong manifests: what `kubectl apply` says of them, with the webhooks and without. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { release } from '../install.ts'
import { apply, manifestOf, storedName } from './refusals.ts'
import { closeSpace, mysql, openSpace, type Space, theCluster, uniquePassword } from './support.ts'
import { removeWebhooks } from './webhooks.ts'
import type { Wrong } from './wrongFields.ts'
import { storedSpec, wrongManifests } from './wrongManifests.ts'

let place: Space
beforeAll(async () => {
  place = await openSpace(await theCluster(), 'refused')
  await place.apply(storedName, storedSpec)
  return () => closeSpace(place)
})

/** Everything inline that a manifest holds, which no message may repeat. */
const inlineOf = ({ spec = {} }: Wrong) =>
  [spec.password, spec.user_password].filter((text) => typeof text === 'string' && text !== '')

/** A dry run, so that what is taken by mistake does no harm. */
const tried = async (wrong: Wrong) => {
  const { code, stderr } = await apply(place.cluster, manifestOf(place.namespace, wrong), '--dry-run=server')
  for (const text of inlineOf(wrong)) expect(stderr).not.toContain(text)
  return { refused: code !== 0, says: stderr }
}

describe('kubectl apply refuses', () => {
  test.each(wrongManifests)('%s, with field, reason and remedy', async (_, wrong) => {
    const { refused, says } = await tried(wrong)
    expect(refused, says).toBe(true)
    expect(says).toContain(wrong.field)
    if (wrong.says === 'unknown field') return expect(says).toContain(`unknown field "${wrong.field}"`)
    const [reason, remedy] = wrong.says
    expect(says).toContain(reason)
    // What to do comes behind what is wrong.
    expect(says.slice(says.indexOf(reason) + reason.length)).toContain(remedy)
  })

  test('everything that is wrong with one manifest, at once', async () => {
    const spec = { database: 'x; id', user: 'root', storage_size: '1Mi', password: '', image: '' }
    const { says } = await tried({ spec, field: '', says: ['', ''] })
    const fields = ['spec.database', 'spec.user', 'spec.storage_size', 'spec.password', 'spec.image']
    for (const field of fields) expect(says).toContain(`${field}: `)
  })

  test.each([release, 'kube-system'])('a MySQL in the namespace %s', async (namespace) => {
    const { code, stderr } = await apply(place.cluster, mysql(namespace, 'shop', { database: 'shop' }))
    expect(code).not.toBe(0)
    expect(stderr).toContain("neither in the operator's own namespace nor in kube-system")
    expect(stderr).toContain('choose another namespace')
  })

  test('an inline password for a name that is yet to be generated', async () => {
    const manifest = { ...mysql(place.namespace, '', { database: 'shop', password: 'Secret-1' }) }
    const input = JSON.stringify({
      ...manifest,
      metadata: { generateName: 'shop-', namespace: place.namespace },
    })
    const args = ['create', '--dry-run=server', '-f', '-']
    const { code, stderr } = await place.cluster.run('kubectl', args, { input, allowFailure: true })
    expect(code).not.toBe(0)
    expect(stderr).toContain('spec.password')
    expect(stderr).toContain('give metadata.name, or use passwordSecretRef')
    expect(stderr).not.toContain('Secret-1')
  })

  test('a Secret that its author may not read', async () => {
    const role = ['--verb=get,list,create,update,patch', '--resource=mysqls.otus.homework']
    await place.kubectl('create', 'role', 'databases', ...role)
    await place.kubectl('create', 'rolebinding', 'databases', '--role=databases', '--user=bob')
    await place.kubectl('create', 'secret', 'generic', 'hidden', '--from-literal=password=Secret-1')
    const hidden = mysql(place.namespace, 'shop', { database: 'shop', passwordSecretRef: { name: 'hidden' } })
    const { code, stderr } = await apply(place.cluster, hidden, '--as=bob')
    expect(code).not.toBe(0)
    expect(stderr).toContain('spec.passwordSecretRef')
    expect(stderr).toContain('names a Secret that you may not read')
    // The same words for one that does not exist, or they would tell which ones do.
    const missing = mysql(place.namespace, 'shop', {
      database: 'shop',
      passwordSecretRef: { name: 'missing' },
    })
    const other = await apply(place.cluster, missing, '--as=bob')
    expect(other.stderr).toBe(stderr)
    expect((await apply(place.cluster, hidden, '--dry-run=server')).code).toBe(0)
  })
})

describe('kubectl apply takes and warns of', () => {
  const memory = { resources: { limits: { memory: '512Mi' } } }
  const ref = { passwordSecretRef: { name: 'mine' } }
  const backup = { schedule: '30 2 * * *' }
  test.each<[string, Record<string, unknown>, string]>([
    ['an inline password', { ...memory, password: 'Secret-1' }, 'prefer spec.passwordSecretRef'],
    [
      'an inline password of the account',
      { ...memory, ...ref, user_password: 'S-1' },
      'userPasswordSecretRef',
    ],
    ['an image without a tag', { ...memory, ...ref, image: 'mysql' }, 'no fixed tag'],
    ['the tag latest', { ...memory, ...ref, image: 'mysql:latest' }, 'no fixed tag'],
    ['a tag that says no version', { ...memory, ...ref, image: 'mysql:lts' }, 'version cannot be read'],
    ['a series that gets no more fixes', { ...memory, ...ref, image: 'mysql:8.0' }, 'no more security fixes'],
    [
      'a server that knows only the old hashes',
      { ...memory, ...ref, image: 'mysql:5.7' },
      'whose hash has no salt',
    ],
    ['no limit of memory', { ...ref }, 'no memory limit'],
    ['no schedule of dumps', { ...memory, ...ref }, 'has no schedule'],
    ['the loss of the data', { ...memory, ...ref, deletionPolicy: 'Delete' }, 'its data is gone'],
    ['a Secret that is not there yet', { ...memory, ...ref }, 'names a Secret that does not exist'],
  ])('%s', async (_, spec, words) => {
    const manifest = mysql(place.namespace, 'warned', { database: 'shop', ...spec })
    const { code, stderr } = await apply(place.cluster, manifest, '--dry-run=server')
    expect(code, stderr).toBe(0)
    expect(
      stderr.split('\n').filter((line) => line.startsWith('Warning: ') && line.includes(words)),
    ).toHaveLength(1)
  })

  test('nothing, where nothing is to be said', async () => {
    await place.kubectl('create', 'secret', 'generic', 'given', '--from-literal=password=Secret-1')
    const spec = {
      database: 'shop',
      image: 'mysql:9.7',
      passwordSecretRef: { name: 'given' },
      backup,
      ...memory,
    }
    const { code, stderr } = await apply(
      place.cluster,
      mysql(place.namespace, 'quiet', spec),
      '--dry-run=server',
    )
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  })
})

describe('Without the webhooks', () => {
  let restore = async () => {}
  beforeAll(async () => {
    restore = await removeWebhooks(place.cluster)
  })
  afterAll(() => restore())

  test.each(wrongManifests.filter(([, { alone }]) => alone !== false))(
    'the CRD alone refuses %s',
    async (_, wrong) => {
      const { refused, says } = await tried(wrong)
      expect(refused, says).toBe(true)
      expect(says).toContain(wrong.field)
    },
  )

  test.each(wrongManifests.filter(([, { alone }]) => alone === false))(
    'nobody refuses %s, which only the webhook can know',
    async (_, wrong) => {
      expect(await tried(wrong)).toMatchObject({ refused: false })
    },
  )

  test('the old manifest is refused, and its passwords are stored nowhere', async () => {
    const [password, user_password] = [uniquePassword(), uniquePassword()]
    const spec = {
      image: 'mysql:5.7',
      database: 'otus-database',
      storage_size: '1Gi',
      password,
      user_password,
    }
    const { code, stderr } = await apply(place.cluster, mysql(place.namespace, 'mysql-instance', spec))
    expect(code).not.toBe(0)
    expect(stderr).toContain('spec.password')
    expect(stderr).toContain('spec.user_password')
    expect(stderr).toContain('the webhook did not run')
    for (const secret of [password, user_password]) expect(stderr).not.toContain(secret)
    expect(await place.get('mysql-instance')).toBeUndefined()
  })
})
