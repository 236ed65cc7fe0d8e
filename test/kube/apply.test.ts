import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { annotations, labels, manager } from '../../src/api/names.ts'
import { contains, contentHash, ensure, NameTaken } from '../../src/kube/apply.ts'
import { type Client, createClient } from '../../src/kube/client.ts'
import { Service, type Service as ServiceObject } from '../../src/kube/kinds.ts'
import { type FakeServer, type Seen, startFakeServer } from './fakeServer.ts'

const services = '/api/v1/namespaces/shop/services'
const ref = { namespace: 'shop', name: 'db' }
const desired: ServiceObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: {
    ...ref,
    labels: { [labels.managedBy]: manager, [labels.instance]: 'db' },
    annotations: { [annotations.ownerUid]: 'uid-1' },
  },
  spec: { type: 'ClusterIP', ports: [{ name: 'mysql', port: 3306 }] },
}
const another: ServiceObject = { ...desired, spec: { ...desired.spec, type: 'NodePort' } }

let server: FakeServer
let client: Client
beforeEach(async () => {
  server = await startFakeServer()
  client = createClient(server.connection)
})
afterEach(() => server.stop())

const live = () => client.get(Service, ref)
/** Puts in what somebody else made of our object. */
const edit = (change: (object: ServiceObject) => void) => {
  const object = structuredClone(server.store.objects.get(`${services}/db`)) as never
  change(object)
  server.put(services, object)
}
const asked = async <T>(run: () => Promise<T>) => {
  const before = server.requests.length
  const outcome = await run()
  return { outcome, requests: server.requests.slice(before).map((seen) => seen.method) }
}

describe('ensure', () => {
  it('makes what is missing, with the hash of what it was made from', async () => {
    expect(await ensure(client, Service, desired, undefined)).toBe('created')
    expect((await live())?.metadata.annotations?.[annotations.contentHash]).toBe(contentHash(desired))
    expect(contentHash(desired)).toMatch(/^[0-9a-f]{16}$/)
  })

  it('asks for nothing when nothing differs, whatever the server has added', async () => {
    await ensure(client, Service, desired, undefined)
    edit((object) => {
      object.spec = {
        ...object.spec,
        clusterIP: '10.0.0.1',
        ports: [{ name: 'mysql', port: 3306, nodePort: 31000 }],
      }
      object.metadata.annotations = { ...object.metadata.annotations, added: 'by somebody' }
    })
    const cached = await live()
    expect(await asked(() => ensure(client, Service, desired, cached))).toEqual({
      outcome: 'unchanged',
      requests: [],
    })
  })

  it('applies what is different', async () => {
    await ensure(client, Service, desired, undefined)
    expect(await ensure(client, Service, another, await live())).toBe('applied')
    expect((await live())?.spec?.type).toBe('NodePort')
    expect(await ensure(client, Service, another, await live())).toBe('unchanged')
  })

  it.each([
    ['a value', (object: ServiceObject) => Object.assign(object.spec ?? {}, { type: 'NodePort' })],
    ['an element more', (object: ServiceObject) => object.spec?.ports?.push({ port: 1 })],
    ['an element less', (object: ServiceObject) => object.spec?.ports?.pop()],
    [
      'a label of a selector',
      (object: ServiceObject) =>
        Object.assign(object.metadata, {
          labels: {
            ...object.metadata.labels,
            [labels.component]: 'x',
          },
        }),
    ],
  ])('repairs %s that was edited by hand', async (what, change) => {
    const manifest = what.startsWith('a label')
      ? {
          ...desired,
          metadata: { ...desired.metadata, labels: { ...desired.metadata.labels, [labels.component]: 'y' } },
        }
      : desired
    await ensure(client, Service, manifest, undefined)
    edit(change)
    expect(await ensure(client, Service, manifest, await live())).toBe('applied')
    expect(contains(manifest, await live())).toBe(true)
  })

  it('turns what its create owns into what an apply owns, once, so that fields can go again', async () => {
    await ensure(client, Service, desired, undefined)
    await ensure(client, Service, another, await live())
    expect((await live())?.metadata.managedFields).toEqual([{ manager, operation: 'Apply' }])
    const { requests } = await asked(async () => ensure(client, Service, desired, await live()))
    expect(requests).toEqual(['GET', 'GET', 'PATCH'])
  })

  it('does not mind that a controller writes the status meanwhile', async () => {
    await ensure(client, Service, desired, undefined)
    let written = 0
    const race = (seen: Seen) => {
      if (Array.isArray(seen.body)) edit((object) => Object.assign(object, { status: { n: ++written } }))
      return false
    }
    server.inject({ do: 'hang' }, race)
    expect(await ensure(client, Service, another, await live())).toBe('applied')
    expect(written).toBe(1)
  })

  it('makes again what a stale cache still shows', async () => {
    await ensure(client, Service, desired, undefined)
    const cached = await live()
    server.store.drop(`${services}/db`)
    expect(await ensure(client, Service, another, cached)).toBe('created')
  })

  it('gets along with what a stale cache does not show yet', async () => {
    await ensure(client, Service, desired, undefined)
    expect(await ensure(client, Service, desired, undefined)).toBe('unchanged')
    expect(await ensure(client, Service, another, undefined)).toBe('applied')
  })

  it('writes only to the object that it has looked at', async () => {
    await ensure(client, Service, desired, undefined)
    const cached = await live()
    await ensure(client, Service, another, cached)
    const [body] = server
      .writes()
      .filter((seen) => seen.query.has('force'))
      .map((seen) => seen.body)
    expect(body.metadata.uid).toBe(cached?.metadata.uid)
  })
})

describe('what is not ours', () => {
  it.each([
    ['has no labels', { labels: {}, annotations: desired.metadata.annotations ?? {} }],
    ['belongs to another instance', { labels: { ...desired.metadata.labels, [labels.instance]: 'x' } }],
    ['is managed by something else', { labels: { ...desired.metadata.labels, [labels.managedBy]: 'helm' } }],
    ['belongs to another MySQL of that name', { annotations: { [annotations.ownerUid]: 'uid-0' } }],
    ['does not say whose it is', { annotations: {} }],
  ])('is never written to when it %s', async (_what, metadata) => {
    const foreign = { ...desired, metadata: { ...desired.metadata, ...metadata } }
    server.put(services, foreign as never)
    for (const cached of [undefined, await live()]) {
      const error = await ensure(client, Service, another, cached).catch((reason) => reason)
      expect(error).toBeInstanceOf(NameTaken)
      expect(error).toMatchObject({
        kind: 'Service',
        ref: { namespace: 'shop', name: 'db' },
        terminating: false,
      })
    }
    expect(server.writes().filter((seen) => seen.method !== 'POST')).toEqual([])
    expect((await live())?.spec).toEqual(desired.spec)
  })

  it('may be adopted from an earlier MySQL of that name, and of no other', async () => {
    const earlier = { ...desired.metadata, annotations: { [annotations.ownerUid]: 'uid-0' } }
    server.put(services, { ...desired, metadata: earlier } as never)
    expect(await ensure(client, Service, desired, await live(), { adopt: true })).toBe('applied')
    expect((await live())?.metadata.annotations?.[annotations.ownerUid]).toBe('uid-1')
    edit((object) => Object.assign(object.metadata, { labels: {} }))
    await expect(ensure(client, Service, desired, await live(), { adopt: true })).rejects.toThrow(NameTaken)
  })

  it('says when the name is about to be free', async () => {
    const metadata = { ...ref, deletionTimestamp: '2030-01-01T00:00:00Z' }
    server.put(services, { ...desired, metadata } as never)
    await expect(ensure(client, Service, desired, undefined)).rejects.toMatchObject({ terminating: true })
  })
})

describe('comparing', () => {
  it('finds a manifest in anything that has more fields', () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ maxDepth: 4 }),
        fc.dictionary(fc.string(), fc.jsonValue()),
        (value, more) => {
          const grown = (part: unknown): unknown => {
            if (Array.isArray(part)) return part.map(grown)
            if (typeof part !== 'object' || part === null) return part
            return {
              ...more,
              ...Object.fromEntries(Object.entries(part).map(([key, one]) => [key, grown(one)])),
            }
          }
          expect(contains(value, grown(value))).toBe(true)
        },
      ),
    )
  })

  it.each([
    [{ a: 1 }, { a: 2 }, false],
    [{ a: 1 }, {}, false],
    [{ a: [1, 2] }, { a: [2, 1] }, false],
    [{ a: [1] }, { a: [1, 2] }, false],
    [{ a: {} }, {}, true],
    [{ a: [] }, {}, true],
    [{ a: undefined }, {}, true],
    [{ a: { b: 1 } }, { a: 'b' }, false],
    [{ a: [1] }, { a: { 0: 1, length: 1 } }, false],
    [{ limits: { cpu: '1000m', memory: '1024Mi' } }, { limits: { cpu: '1', memory: '1Gi' } }, true],
    [{ limits: { cpu: '1000m' } }, { limits: { cpu: '2' } }, false],
    [{ requests: { cpu: 1 } }, { requests: { cpu: '1' } }, true],
    [{ labels: { size: '1000m' } }, { labels: { size: '1' } }, false],
  ])('%j in %j: %s', (wanted, found, answer) => {
    expect(contains(wanted, found)).toBe(answer)
  })

  it('hashes alike what only differs in the order of its keys', () => {
    const { spec, metadata, ...rest } = desired
    expect(contentHash({ spec, ...rest, metadata } as never)).toBe(contentHash(desired))
    expect(contentHash(another)).not.toBe(contentHash(desired))
  })
})
