/** The operator with `watchNamespaces`: rights and eyes only there. */
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { installOperator, release } from '../install.ts'
import { actualRights, documentedRights } from '../rightsTable.ts'
import { auditMark, describeRequest, requestsSince } from './audit.ts'
import { leadership } from './replicas.ts'
import { closeSpace, eventually, gone, openSpace, type Space, theCluster } from './support.ts'

const operator = `system:serviceaccount:${release}:${release}`
const spec = {
  database: 'shop',
  // No node has it: that its objects are made is enough.
  nodeSelector: { 'example.com/nowhere': 'true' },
  deletionPolicy: 'Delete',
}

let inside: Space
let also: Space
let outside: Space
beforeAll(async () => {
  const cluster = await theCluster()
  inside = await openSpace(cluster, 'inside')
  also = await openSpace(cluster, 'also')
  outside = await openSpace(cluster, 'outside')
  await installOperator(cluster, { watchNamespaces: `{${inside.namespace},${also.namespace}}` })
  // Until one of the new ones leads, the one before still sees all namespaces; the API server refuses what it wants there.
  await leadership(cluster)
})
afterAll(async () => {
  await installOperator(outside.cluster)
  for (const place of [inside, also, outside]) await closeSpace(place)
})

/** The rights that not every account has. */
const rightsIn = async (namespace: string) => {
  const everybodys = await actualRights(inside.cluster, 'system:serviceaccount:default:nobody', namespace)
  const all = Object.entries(await actualRights(inside.cluster, operator, namespace))
  return Object.fromEntries(all.filter(([resource, verbs]) => everybodys[resource] !== verbs))
}

/** With `watchNamespaces` namespaces may be read by name only. */
const named = (...places: string[]) => {
  const { 'namespaces [all]': verbs = '', ...rights } = documentedRights(...places)
  return {
    ...rights,
    [`namespaces [${inside.namespace}]`]: verbs,
    [`namespaces [${also.namespace}]`]: verbs,
  }
}

test('The operator has rights on databases only in the namespaces listed', async () => {
  for (const { namespace } of [inside, also]) {
    expect(await rightsIn(namespace)).toEqual(named('databases', 'cluster'))
  }
  for (const namespace of [outside.namespace, 'default', 'kube-system']) {
    expect(await rightsIn(namespace)).toEqual(named('cluster'))
  }
  expect(await rightsIn(release)).toEqual(named('cluster', 'own namespace'))
})

test('It makes and removes databases in each of them, and asks nothing about any other', async () => {
  const local = inject('cluster').context === undefined
  const mark = local ? auditMark(inside.cluster) : 0
  for (const place of [inside, also]) {
    await place.apply('shop', spec)
    await eventually('the StatefulSet is there', async () => {
      const found = await place.kubectl('get', 'statefulset', 'shop', '--ignore-not-found', '-o', 'name')
      return found !== ''
    })
  }
  // The webhook does not look here. Without a password in it, the CRD's rules take it, and nobody does anything about it.
  await outside.apply('shop', spec)
  await expect(outside.apply('open', { ...spec, password: 'Secret-1' })).rejects.toThrow(
    'the webhook did not run',
  )
  // By a watch, not by asking: what happens to an object is seen in each namespace.
  await also.kubectl('delete', 'service', 'shop')
  await eventually('the Service is made again', async () => {
    const found = await also.kubectl('get', 'service', 'shop', '--ignore-not-found', '-o', 'name')
    return found !== ''
  })
  for (const place of [inside, also]) {
    await place.kubectl('delete', 'mysql', 'shop', '--wait=false')
    await gone(place, 'shop')
  }
  expect((await outside.get('shop'))?.status).toBeUndefined()
  expect((await outside.get('shop'))?.metadata.finalizers).toBeUndefined()
  if (!local) return
  const known = [inside.namespace, also.namespace, release, undefined]
  const all = requestsSince(inside.cluster, mark)
  const elsewhere = all.filter(({ objectRef }) => objectRef && !known.includes(objectRef.namespace))
  expect(all.length).toBeGreaterThan(50)
  expect(elsewhere.map(describeRequest)).toEqual([])
  // Lists and watches without a namespace would be of the whole cluster.
  const wide = all.filter(({ verb, objectRef }) => ['list', 'watch'].includes(verb) && !objectRef?.namespace)
  expect(wide.map(describeRequest)).toEqual([])
  expect(all.filter(({ responseStatus }) => responseStatus?.code === 403).map(describeRequest)).toEqual([])
})
