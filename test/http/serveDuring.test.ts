import { describe, expect, test } from 'vitest'
import { serveDuring } from '../../src/http/server.ts'

describe('serving while something else is done', () => {
  const start = () => {
    const steps: string[] = []
    const server = {
      drain: () => void steps.push('drain'),
      close: async () => void steps.push('close'),
    }
    return { steps, server, stop: new AbortController() }
  }

  test('drains as soon as the end is asked for, and closes when the other is done', async () => {
    const { steps, server, stop } = start()
    const task = Promise.withResolvers<void>()
    const over = serveDuring(server, stop.signal, () => task.promise)
    expect(steps).toEqual([])
    stop.abort()
    expect(steps).toEqual(['drain'])
    task.resolve()
    await over
    expect(steps.at(-1)).toBe('close')
  })

  test('drains at once when the end was asked for before', async () => {
    const { steps, server, stop } = start()
    stop.abort()
    await serveDuring(server, stop.signal, async () => expect(steps).toEqual(['drain']))
  })

  test('finishes what is under way also when the other fails, and tells of that failure', async () => {
    const { steps, server, stop } = start()
    const lost = serveDuring(server, stop.signal, () => Promise.reject(new Error('the Lease is lost')))
    await expect(lost).rejects.toThrow('the Lease is lost')
    expect(steps).toEqual(['drain', 'close'])
  })
})
