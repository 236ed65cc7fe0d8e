import { describe, expect, it } from 'vitest'
import { isList, isWatch } from './fakeServer.ts'
import {
  clock,
  configMaps,
  errors,
  launch,
  lists,
  named,
  retry,
  seen,
  server,
  start,
  watching,
} from './informers.ts'
import { until } from './until.ts'

describe('an informer', () => {
  it('lists again after an ERROR event that says 410, and sees what was deleted meanwhile', async () => {
    server.put(configMaps, named('a'))
    const due = server.inject({ do: 'errorEvent', code: 410 }, isWatch)
    const informer = launch()
    await informer.synced
    await until(() => errors.length === 1)
    server.store.drop(`${configMaps}/a`)
    await retry(1)
    await until(() => informer.size === 0)
    expect(due.left()).toBe(0)
    expect(errors[0]).toMatchObject({ code: 410 })
    expect(lists()).toBe(2)
  })

  it('lists again when the server has forgotten where the watch was', async () => {
    server.put(configMaps, named('a'))
    const informer = await start()
    server.bookmark()
    await clock.advance(240_000)
    server.mute('configmaps')
    server.store.drop(`${configMaps}/a`)
    server.compact()
    server.endWatches('cleanly')
    await until(() => errors.length === 1)
    expect(errors[0]).toMatchObject({ code: 410, reason: 'Expired' })
    await retry(1)
    await until(() => seen.length === 2)
    expect(seen).toEqual(['+a', '-a'])
    expect(informer.size).toBe(0)
  })

  it.each(['reset', 'within an event'] as const)('goes on where a stream broke (%s)', async (how) => {
    await start()
    const bookmark = server.bookmark()
    await clock.advance(1_000)
    server.endWatches(how)
    await until(() => errors.length === 1)
    server.put(configMaps, named('a'))
    await retry(1)
    await until(() => seen.length === 1)
    expect(server.requests.at(-1)?.query.get('resourceVersion')).toBe(bookmark)
    expect(lists()).toBe(1)
  })

  it('waits twice as long after each failed watch, which no good list makes shorter', async () => {
    const due = server.inject({ do: 'status', code: 500 }, isWatch, 9)
    const informer = launch()
    for (let n = 1; n <= 9; n++) await retry(n)
    await watching()
    expect(due.left()).toBe(0)
    expect(lists()).toBe(10)
    const waits = clock.asked.filter((ms) => ms <= 30_000 && ms !== 29_999)
    expect(waits).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000])
    expect(informer.counts.failures).toBe(9)
  })

  it('begins with short waits again once a watch event has come', async () => {
    const first = server.inject({ do: 'status', code: 500 }, isWatch, 3)
    const informer = launch()
    for (let n = 1; n <= 3; n++) await retry(n)
    await watching()
    server.put(configMaps, named('a'))
    await until(() => informer.size === 1)
    const second = server.inject({ do: 'status', code: 500 }, isWatch)
    server.endWatches('reset')
    await retry(1)
    await retry(2)
    await watching()
    expect([first.left(), second.left()]).toEqual([0, 0])
  })

  it('takes a watch that ends at once for a failure', async () => {
    const due = server.inject({ do: 'end' }, isWatch, 3)
    launch()
    for (let n = 1; n <= 3; n++) await retry(n)
    await watching()
    expect(due.left()).toBe(0)
    expect(String(errors[0])).toContain('ended at once')
    expect(lists()).toBe(4)
  })

  it('gets over a list that fails', async () => {
    const due = server.inject({ do: 'status', code: 500 }, isList, 2)
    const informer = launch()
    await retry(1)
    await retry(2)
    await informer.synced
    expect(due.left()).toBe(0)
  })

  it('gets over a server that is away', async () => {
    server.put(configMaps, named('a'))
    const informer = await start()
    await server.down()
    await until(() => errors.length === 1)
    server.put(configMaps, named('b'))
    await retry(1)
    await until(() => errors.length === 2)
    expect(errors[1]).toMatchObject({ reason: 'Unreachable' })
    await server.up()
    await retry(2)
    await until(() => informer.size === 2)
  })

  it('gives up a connection that has been silent for longer than the server may be', async () => {
    clock.chance = 0.5
    const informer = await start()
    server.mute('configmaps')
    server.put(configMaps, named('a'))
    const before = informer.lastContact
    await clock.advance(279_999)
    expect(errors).toEqual([])
    await clock.advance(1)
    await until(() => errors.length === 1)
    expect(errors[0]).toMatchObject({ reason: 'TimedOut' })
    server.unmute('configmaps')
    await clock.advance(250)
    await until(() => informer.size === 1)
    expect(informer.lastContact).toBeGreaterThan(before ?? Number.POSITIVE_INFINITY)
  })

  it('finds what the watch has missed with the next periodic list', async () => {
    clock.chance = 0.5
    server.put(configMaps, named('gone'))
    const informer = await start({ relistMs: 100_000 })
    server.mute('configmaps')
    server.put(configMaps, named('missed'))
    server.store.drop(`${configMaps}/gone`)
    await clock.advance(99_999)
    expect(seen).toEqual(['+gone'])
    await clock.advance(1)
    await until(() => informer.counts.lists === 2)
    expect(seen).toEqual(['+gone', '-gone', '+missed'])
    expect(informer.counts.repaired).toBe(2)
    await clock.advance(100_000)
    await until(() => informer.counts.lists === 3)
    expect(seen).toHaveLength(3)
    expect(errors).toEqual([])
  })

  it('tells of an end and a beginning when an object was replaced unseen', async () => {
    clock.chance = 0.5
    server.put(configMaps, named('a'))
    const informer = await start({ relistMs: 100_000 })
    server.mute('configmaps')
    server.store.drop(`${configMaps}/a`)
    server.put(configMaps, named('a'))
    await clock.advance(100_000)
    await until(() => informer.counts.lists === 2)
    expect(seen).toEqual(['+a', '-a', '+a'])
  })
})
