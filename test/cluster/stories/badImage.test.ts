import { beforeAll, expect, test } from 'vitest'
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
  theCluster,
  uniquePassword,
} from './support.ts'

// No name server knows it, so that every pull fails at once, on every cluster.
const bad = 'registry.invalid/mysql:9.7'
const good = 'mysql:9.7'
const password = uniquePassword()
const root = { user: 'root', password }
const spec = (image: string) => ({ database: 'shop', password, image })

let place: Space

beforeAll(async () => {
  place = await openSpace(await theCluster(), 'image')
  return () => closeSpace(place)
})

/** Every object that was made for a MySQL and is still there. */
const objectsOf = async (name: string): Promise<string[]> => {
  const kinds = 'statefulset,pod,job,service,configmap,secret,networkpolicy,persistentvolumeclaim'
  const found = await place.kubectl('get', kinds, '-l', `${labels.instance}=${name}`, '-o', 'name')
  return found.split('\n').filter(Boolean)
}

const degraded = (name: string) => condition(place, name, 'Degraded', 'True', 'ImageError')

const conditionOf = async (name: string, type: string) =>
  (await place.get(name))?.status?.conditions?.find((one) => one.type === type)

test.concurrent('a database whose image does not exist says so, and starts when it is corrected', async () => {
  await place.apply('corrected', spec(bad))
  const { status } = await degraded('corrected')
  const why = status?.conditions?.find(({ type }) => type === 'Degraded')?.message
  expect(why).toContain(bad)
  expect(why).toContain('spec.image')
  expect((await conditionOf('corrected', 'Ready'))?.status).toBe('False')
  const reasons = [
    'get',
    'events',
    '--field-selector=involvedObject.name=corrected',
    '-o',
    'jsonpath={.items[*].reason}',
  ]
  expect(await place.kubectl(...reasons)).toContain('ImageError')

  await place.apply('corrected', spec(good))
  await ready(place, 'corrected')
  await condition(place, 'corrected', 'Degraded', 'False', 'Fine')
  expect(await query(place, 'corrected', root, 'SELECT 1')).toBe('1')
})

test.concurrent('a database that never started goes away at once, and leaves its backup claim only', async () => {
  await place.apply('mistaken', spec(bad))
  await degraded('mistaken')
  await place.kubectl('delete', 'mysql', 'mistaken', '--wait=false')
  await gone(place, 'mistaken', 30)
  // What the resource owned is collected a moment later.
  const left = await eventually('only one object is left', async () => {
    const found = await objectsOf('mistaken')
    return found.length <= 1 && found
  })
  expect(left).toEqual(['persistentvolumeclaim/backup-mistaken-pvc'])
})

test.concurrent('a database that cannot be dumped, since its image became a bad one, keeps its data until it can', async () => {
  await place.apply('spoiled', spec(good))
  await ready(place, 'spoiled')
  await query(place, 'spoiled', root, 'CREATE TABLE shop.kept (id INT); INSERT INTO shop.kept VALUES (7)')
  await place.apply('spoiled', spec(bad))
  await degraded('spoiled')

  await place.kubectl('delete', 'mysql', 'spoiled', '--wait=false')
  await condition(place, 'spoiled', 'DeletionBlocked', 'True', 'Stuck')
  const { message = '' } = (await conditionOf('spoiled', 'DeletionBlocked')) ?? {}
  expect(message).toContain(bad)
  expect(message).toMatch(/patch mysql spoiled .*"deletionPolicy":"Retain"/)
  expect(
    await place.kubectl('get', 'pvc', 'spoiled-pvc', '-o', 'jsonpath={.metadata.deletionTimestamp}'),
  ).toBe('')

  await place.kubectl(
    'patch',
    'mysql',
    'spoiled',
    '--type=merge',
    '-p',
    JSON.stringify({ spec: { image: good } }),
  )
  await gone(place, 'spoiled')
  await place.apply('spoiled', spec(good))
  await ready(place, 'spoiled')
  expect(await query(place, 'spoiled', root, 'SELECT id FROM shop.kept')).toBe('7')
})
