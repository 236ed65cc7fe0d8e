import { describe, expect, test } from 'vitest'
import { serveDuring } from '../../src/http/server.ts'
import { FakeClock } from '../kube/fakeClock.ts'

describe('serving while something else is done', () => {
  const start = (drainMs = 10_000) => {
    const steps: string[] = []
    const connections = Promise.withResolvers<void>()
    const server = {
      drain: () => steps.includes('drain') || void steps.push('drain'),
      deserted: (quietMs: number) => {
        expect(quietMs).toBe(drainMs)
        return connections.promise
      },
      close: async () => void steps.push('close'),
    }
    const [stop, clock] = [new AbortController(), new FakeClock()]
    const serve = (task: () => Promise<void>) => serveDuring(server, stop.signal, task, { drainMs, clock })
    return { steps, serve, stop, clock, leave: connections.resolve }
  }

  test('drains as soon as the end is asked for, and closes when the other is done, time is over, and nobody connected', async () => {
    const { steps, serve, stop, clock, leave } = start()
    const task = Promise.withResolvers<void>()
    const over = serve(() => task.promise)
    expect(steps).toEqual([])
    stop.abort()
    expect(steps).toEqual(['drain'])
    await clock.advance(20_000)
    leave()
    await clock.idle()
    expect(steps).toEqual(['drain'])
    task.resolve()
    await over
    expect(steps).toEqual(['drain', 'close'])
  })

  test('serves on for the whole time, which begins with the end and not with that of the other', async () => {
    const { steps, serve, stop, clock, leave } = start()
    leave()
    const over = serve(async () => {})
    stop.abort()
    await clock.advance(9_999)
    expect(steps).toEqual(['drain'])
    await clock.advance(1)
    await over
    expect(steps).toEqual(['drain', 'close'])
  })

  test('serves on for longer while somebody is connected', async () => {
    const { steps, serve, stop, clock, leave } = start()
    const over = serve(async () => {})
    stop.abort()
    await clock.advance(60_000)
    expect(steps).toEqual(['drain'])
    leave()
    await over
    expect(steps).toEqual(['drain', 'close'])
  })

  test('closes at once where there is nobody else to go to', async () => {
    const { steps, serve, stop } = start(0)
    stop.abort()
    await serve(async () => expect(steps).toEqual(['drain']))
    expect(steps).toEqual(['drain', 'close'])
  })

  test('drains as long when the other fails, and tells of that failure in the end', async () => {
    const { steps, serve, clock, leave } = start()
    const lost = serve(() => Promise.reject(new Error('the Lease is lost')))
    const told = expect(lost).rejects.toThrow('the Lease is lost')
    leave()
    await clock.advance(9_999)
    expect(steps).toEqual(['drain'])
    await clock.advance(1)
    await told
    expect(steps).toEqual(['drain', 'close'])
  })
})
