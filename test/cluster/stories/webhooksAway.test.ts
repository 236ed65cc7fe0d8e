/** The operator's webhooks fail closed. That they do not answer keeps nothing from ending, and the operator from coming back. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { finalizer } from '../../../src/api/names.ts'
import { release } from '../install.ts'
import { selector } from '../replicas.ts'
import { bothReady, leadership, replicas } from './replicas.ts'
import {
  closeSpace,
  eventually,
  gone,
  inNamespace,
  namespaceGone,
  openSpace,
  ready,
  type Space,
  theCluster,
  uniquePassword,
} from './support.ts'
import { cutOffWebhooks, webhooksRun } from './webhooks.ts'

const cluster = await theCluster()
const own = inNamespace(cluster, release)

/** One whose server never starts: a server that is just starting hears no signal, and its pod then ends after five minutes. */
const waiting = {
  database: 'shop',
  passwordSecretRef: { name: 'nobody-makes-it' },
  nodeSelector: { none: 'such' },
}
const running = { database: 'shop', password: uniquePassword() }

/** No write of a MySQL gets through, as an account of a person sees it. */
const nobodyAnswers = async (place: Space) =>
  expect((await place.attempt('label', 'mysql', '--all', `a=${Date.now()}`, '--overwrite')).stderr).toContain(
    'failed calling webhook',
  )

describe('While the webhooks do not answer', () => {
  const places: Record<string, Space> = {}
  const at = (prefix: string) => places[prefix] as Space
  let mend: (() => Promise<void>) | undefined

  beforeAll(async () => {
    for (const prefix of ['ends', 'stays']) places[prefix] = await openSpace(cluster, prefix)
    await at('stays').apply('shop', running)
    await at('ends').apply('running', running)
    await at('ends').apply('waiting', waiting)
    await at('ends').apply('protected', { ...waiting, deletionProtection: true })
    await at('ends').apply('unpulled', { ...running, image: 'nowhere.example/mysql:9.7' })
    await Promise.all([ready(at('stays'), 'shop'), ready(at('ends'), 'running')])
    // What is under way at the very moment at which the webhooks go and the namespace ends.
    await at('ends').apply('running', { ...running, password: uniquePassword() })
    await at('ends').kubectl('delete', 'mysql', 'unpulled', '--wait=false')
    await at('ends').apply('coming', waiting)
    mend = await cutOffWebhooks(cluster)
  })
  afterAll(async () => {
    await mend?.()
    for (const place of Object.values(places)) await closeSpace(place)
  })

  test('a namespace goes with MySQLs in every phase', async () => {
    await nobodyAnswers(at('ends'))
    await closeSpace(at('ends'))
    await namespaceGone(at('ends'))
  })

  test('an administrator changes and scales what the operator owns, its Lease and its Secrets included', async () => {
    for (const object of [`lease/${release}`, `deployment/${release}`, `secret/${release}-ca`])
      expect(await own.attempt('annotate', object, `a=${Date.now()}`, '--overwrite')).toMatchObject({
        code: 0,
      })
    const place = at('stays')
    const scale = ['scale', 'statefulset/shop', '--replicas=0']
    expect(await place.attempt(...scale)).toMatchObject({ code: 0 })
    expect(await place.attempt('delete', 'networkpolicy', 'shop')).toMatchObject({ code: 0 })
    await eventually('the operator puts them right', async () => {
      const { code } = await place.attempt('get', 'networkpolicy/shop')
      const count = 'jsonpath={.spec.replicas}'
      return code === 0 && (await place.kubectl('get', 'statefulset/shop', '-o', count)) === '1'
    })
  })

  test('all replicas of the operator that are deleted come back, and a MySQL ends with its dump', async () => {
    const before = new Set((await replicas(cluster)).map(({ uid }) => uid))
    await own.kubectl('delete', 'pods', '-l', selector, '--force', '--grace-period=0')
    await eventually('both replicas are new ones', async () => {
      const now = await bothReady(cluster)
      return now.every(({ uid }) => !before.has(uid))
    })
    const place = at('stays')
    await nobodyAnswers(place)
    await place.kubectl('delete', 'mysql', 'shop', '--wait=false')
    await gone(place, 'shop', 240)
  })
})

test('Without a replica a deletion waits, blocks nothing else, and ends when there is one again', async () => {
  const place = await openSpace(cluster, 'down')
  const empty = await openSpace(cluster, 'empty')
  const back = async () => {
    await own.kubectl('scale', `deployment/${release}`, '--replicas=2')
    await leadership(cluster)
    await webhooksRun(cluster)
  }
  onTestFinished(async () => {
    await back()
    await Promise.all([place, empty].map(closeSpace))
  })
  await leadership(cluster)
  await place.apply('left', waiting)
  await eventually('the operator has seen it', async () => (await place.get('left'))?.status !== undefined)
  await own.kubectl('scale', `deployment/${release}`, '--replicas=0')
  await own.kubectl('delete', 'pods', '-l', selector, '--force', '--grace-period=0')
  await eventually('nobody answers', async () => {
    const { stderr } = await place.attempt('label', 'mysql', 'left', `a=${Date.now()}`, '--overwrite')
    return stderr.includes('failed calling webhook')
  })
  // Neither is theirs.
  await own.kubectl('annotate', `lease/${release}`, `secret/${release}-key`, `a=${Date.now()}`, '--overwrite')
  await empty.kubectl('create', 'secret', 'generic', 'anything')
  await closeSpace(empty)
  await namespaceGone(empty)
  // Deleted, it is nobody's to judge any more, and an administrator may let it go by hand.
  await place.kubectl('delete', 'mysql', 'left', '--wait=false')
  expect((await place.get('left'))?.metadata.finalizers).toContain(finalizer)
  await place.kubectl('label', 'mysql', 'left', 'now=anything')
  await closeSpace(place)
  await back()
  await namespaceGone(place)
})
