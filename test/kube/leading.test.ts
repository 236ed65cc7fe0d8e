import { describe, expect, test } from 'vitest'
import { createClient } from '../../src/kube/client.ts'
import { orAborted } from '../../src/kube/clock.ts'
import { lead } from '../../src/kube/leading.ts'
import { LeaseElection } from '../../src/kube/lease.ts'
import { clock, counted, leases, pass, place, server, stored, writesOf } from './elections.ts'
import { settle } from './fakeClock.ts'

/** A process that leads as soon as it can; `over` is how that ended. */
const start = (work: (signal: AbortSignal) => Promise<void>) => {
  const acquired = Promise.withResolvers<void>()
  const client = counted(createClient(server.connection, { clock }))
  const election = new LeaseElection(client, { ...place, identity: 'a', clock, onAcquired: acquired.resolve })
  const stop = new AbortController()
  const life = { election, stop, over: undefined as unknown }
  const ended = lead({ election, acquired: acquired.promise, work, signal: stop.signal })
  ended.then(
    () => {
      life.over = 'ended'
    },
    (error) => {
      life.over = error
    },
  )
  return life
}
const never = new Promise<void>(() => {})
/** Does nothing until it is told to end. */
const idle = (signal: AbortSignal) => orAborted(never, signal)

describe('leading', () => {
  test('gives the Lease back after the last write', async () => {
    const lastWrite = Promise.withResolvers<void>()
    const life = start(async (signal) => {
      await idle(signal)
      await lastWrite.promise
    })
    await pass(250)
    life.stop.abort()
    await pass(1_000)
    expect([life.election.held(), life.over]).toEqual([true, undefined])
    lastWrite.resolve()
    await pass(1_000)
    expect([stored()?.holderIdentity, life.over]).toEqual([undefined, 'ended'])
  })

  test('ends at once where another replica leads', async () => {
    const spec = { holderIdentity: 'b', leaseDurationSeconds: 15 }
    const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { ...place }, spec }
    server.put(leases, lease)
    const life = start(idle)
    await pass(1_000)
    life.stop.abort()
    await pass(250)
    expect([stored()?.holderIdentity, life.over]).toEqual(['b', 'ended'])
  })

  test('does not begin after the end was asked for', async () => {
    const life = start(() => Promise.reject(new Error('begun')))
    life.stop.abort()
    await pass(1_000)
    expect([stored()?.holderIdentity, life.over]).toEqual([undefined, 'ended'])
  })

  test('gives the Lease back when the work waits for something that never comes', async () => {
    const life = start((signal) => orAborted(never, signal))
    await pass(250)
    life.stop.abort()
    await pass(250)
    expect([stored()?.holderIdentity, life.over]).toEqual([undefined, 'ended'])
  })

  test('ends with the error of the work, and lets another replica try', async () => {
    const failure = new Error('no such thing')
    const life = start(() => Promise.reject(failure))
    await pass(1_000)
    expect(life.over).toBe(failure)
    expect(stored()?.holderIdentity).toBeUndefined()
  })

  test('tells the work to end, and says why, when the Lease is lost', async () => {
    let told = false
    const life = start(async (signal) => {
      await idle(signal)
      told = true
    })
    await pass(250)
    server.inject({ do: 'status', code: 500 }, writesOf('a'), 99)
    await pass(12_500)
    expect(String(life.over)).toContain('The Lease was lost')
    expect(told).toBe(true)
  })
})

describe('waiting that ends with a signal', () => {
  test('ends with what is waited for, and with its error', async () => {
    const { signal } = new AbortController()
    await orAborted(Promise.resolve(), signal)
    await expect(orAborted(Promise.reject(new Error('no')), signal)).rejects.toThrow('no')
  })

  test('ends with the signal, also with one that has aborted before', async () => {
    const stop = new AbortController()
    let over = false
    void orAborted(never, stop.signal).then(() => {
      over = true
    })
    await settle()
    expect(over).toBe(false)
    stop.abort()
    await settle()
    expect(over).toBe(true)
    await orAborted(never, stop.signal)
  })
})
