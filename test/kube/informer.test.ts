import { describe, expect, it } from 'vitest'
import { Informer } from '../../src/kube/informer.ts'
import { ConfigMap } from '../../src/kube/kinds.ts'
import { isList, isWatch } from './fakeServer.ts'
import {
  client,
  clock,
  configMaps,
  errors,
  launch,
  lists,
  named,
  seen,
  server,
  start,
  stop,
  watches,
  watching,
} from './informers.ts'
import { until } from './until.ts'

describe('an informer', () => {
  it('lists, then follows every change', async () => {
    server.put(configMaps, named('a'))
    const informer = await start()
    expect(informer.hasSynced).toBe(true)
    server.put(configMaps, named('b'))
    server.put(configMaps, named('a', { k: 'v' }))
    server.store.drop(`${configMaps}/b`)
    await until(() => seen.length === 4)
    expect(seen).toEqual(['+a', '+b', '~a', '-b'])
    expect(informer.list().map((object) => object.data)).toEqual([{ k: 'v' }])
    expect(informer.get('shop', 'b')).toBeUndefined()
    expect(errors).toEqual([])
  })

  it('lists in pages and says the same of listed and of watched objects', async () => {
    for (const name of ['a', 'b', 'c']) server.put(configMaps, named(name))
    server.limitPages(2)
    const informer = await start()
    server.put(configMaps, named('d'))
    await until(() => informer.size === 4)
    for (const object of informer.list()) {
      expect(object).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap' })
      expect(object.metadata).not.toHaveProperty('managedFields')
    }
  })

  it('asks for bookmarks and an end between 240 and 300 seconds', async () => {
    clock.chance = 0.5
    await start({ labelSelector: 'app=x', namespace: 'shop' })
    const watch = server.requests.find(isWatch)
    expect(watch?.path).toBe(configMaps)
    expect(Object.fromEntries(watch?.query ?? [])).toMatchObject({
      allowWatchBookmarks: 'true',
      timeoutSeconds: '270',
      labelSelector: 'app=x',
    })
  })

  it('keeps only what transform leaves', async () => {
    server.put(configMaps, named('a', { large: 'x' }))
    const informer = await start({ transform: ({ data, ...rest }) => rest })
    server.put(configMaps, named('b', { large: 'x' }))
    await until(() => informer.size === 2)
    expect(informer.list().map((object) => object.data)).toEqual([undefined, undefined])
  })

  it('tells a late handler what is there already', async () => {
    server.put(configMaps, named('a'))
    const informer = await start()
    const late: string[] = []
    const end = informer.onChange((object) => late.push(object.metadata.name))
    expect(late).toEqual(['a'])
    end()
    server.put(configMaps, named('b'))
    await until(() => seen.length === 2)
    expect(late).toEqual(['a'])
  })

  it('does not let one handler keep the news from another', async () => {
    const informer = new Informer(client, ConfigMap, { clock, onError: (error) => errors.push(error) })
    informer.onChange(() => {
      throw new Error('mistake')
    })
    informer.onChange((object) => seen.push(object.metadata.name))
    server.put(configMaps, named('a'))
    informer.start(stop.signal)
    await informer.synced
    expect(seen).toEqual(['a'])
    expect(errors).toEqual([new Error('mistake')])
  })

  it('goes on from where a watch ended, without a list', async () => {
    await start()
    const bookmark = server.bookmark()
    await clock.advance(240_000)
    server.endWatches('cleanly')
    await until(() => watches() === 2)
    await watching()
    expect(server.requests.at(-1)?.query.get('resourceVersion')).toBe(bookmark)
    server.put(configMaps, named('a'))
    await until(() => seen.length === 1)
    expect(lists()).toBe(1)
    expect(errors).toEqual([])
  })

  it('stops, and leaves neither a timer nor a connection behind', async () => {
    const informer = await start()
    stop.abort()
    await informer.stopped
    await until(() => server.watchers.size === 0)
    expect(clock.timers).toBe(0)
    expect(errors).toEqual([])
  })

  it('says when it is stopped before the first list', async () => {
    server.inject({ do: 'hang' }, isList)
    const informer = launch()
    await until(() => lists() === 1)
    stop.abort(new Error('shutting down'))
    await expect(informer.synced).rejects.toThrow('shutting down')
    await informer.stopped
  })
})
