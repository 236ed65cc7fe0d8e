import { describe, expect, it } from 'vitest'
import { candidate, candidates, holders, leases, pass, place, server, stored, writesOf } from './elections.ts'

describe('taking the Lease', () => {
  it('makes the Lease where there is none', async () => {
    const a = candidate('a')
    await pass(250)
    expect(a.events).toEqual(['acquired'])
    expect(a.election.held()).toBe(true)
    expect(stored()).toMatchObject({ holderIdentity: 'a', leaseDurationSeconds: 15, leaseTransitions: 0 })
    expect(stored()?.renewTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
  })

  it('leaves it to its holder for as long as that renews it', async () => {
    const a = candidate('a')
    await pass(250)
    const b = candidate('b')
    await pass(60_000)
    expect([a.election.held(), b.election.held()]).toEqual([true, false])
    expect(stored()).toMatchObject({ holderIdentity: 'a', leaseTransitions: 0 })
  })

  it('lets one of two win who start together', async () => {
    candidate('a')
    candidate('b')
    await pass(5_000)
    expect(holders()).toBe(1)
    expect(candidates.flatMap(({ events }) => events)).toEqual(['acquired'])
    expect(candidates.flatMap(({ errors }) => errors)).toEqual([])
  })

  it('is not the leader when somebody else wrote first', async () => {
    const a = candidate('a')
    await pass(250)
    a.stop.abort()
    await a.done
    const due = server.inject(
      { do: 'status', code: 409, body: { kind: 'Status', code: 409, reason: 'Conflict' } },
      writesOf('b'),
    )
    const b = candidate('b')
    await pass(250)
    expect(due.left()).toBe(0)
    expect(b.election.held()).toBe(false)
    await pass(2_500)
    expect(b.election.held()).toBe(true)
  })

  it("waits for the whole duration since it saw the other's record change, whatever the clocks say", async () => {
    const spec = {
      holderIdentity: 'gone',
      leaseDurationSeconds: 15,
      renewTime: '1999-01-01T00:00:00.000000Z',
    }
    server.put(leases, { metadata: place, spec })
    const b = candidate('b')
    await pass(14_750)
    expect(b.election.held()).toBe(false)
    await pass(3_000)
    expect(b.election.held()).toBe(true)
    expect(stored()).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 })
  })

  it('takes over at once what was released', async () => {
    const a = candidate('a')
    await pass(250)
    const b = candidate('b')
    await pass(1_000)
    a.stop.abort()
    await a.done
    expect(a.election.held()).toBe(false)
    expect(a.events).toEqual(['acquired'])
    expect(stored()).not.toHaveProperty('holderIdentity')
    await pass(2_000)
    expect(b.election.held()).toBe(true)
    expect(stored()).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 })
  })

  it('does not take the place of a holder whose Lease was deleted', async () => {
    const a = candidate('a')
    await pass(250)
    const b = candidate('b')
    await pass(4_000)
    server.store.drop(`${leases}/leader`)
    // The holder learns of it late.
    const due = server.inject({ do: 'status', code: 500 }, writesOf('a'), 2)
    await pass(20_000)
    expect(due.left()).toBe(0)
    expect([a.election.held(), b.election.held()]).toEqual([true, false])
    expect(stored()).toMatchObject({ holderIdentity: 'a' })
  })

  it('goes on at once with what it held in an earlier life', async () => {
    const spec = { holderIdentity: 'a', leaseDurationSeconds: 15, leaseTransitions: 4 }
    server.put(leases, { metadata: place, spec })
    const a = candidate('a')
    await pass(250)
    expect([a.election.held(), stored()?.leaseTransitions]).toEqual([true, 4])
  })

  it('tries again until it is told to stop', async () => {
    const due = server.inject({ do: 'status', code: 500 }, () => true, 3)
    const a = candidate('a')
    await pass(4_000)
    expect([due.left(), a.errors.length, a.election.held()]).toEqual([0, 3, false])
    a.stop.abort()
    await a.done
    expect(a.events).toEqual([])
  })
})

describe('keeping the Lease', () => {
  it('gets over a renewal whose answer was lost', async () => {
    const a = candidate('a')
    await pass(250)
    const due = server.inject({ do: 'loseAnswer' }, writesOf('a'))
    await pass(20_000)
    expect(due.left()).toBe(0)
    expect([a.election.held(), a.events]).toEqual([true, ['acquired']])
  })

  it('gets over another writer who does not want to hold it', async () => {
    const a = candidate('a')
    await pass(250)
    const labels = { seen: 'yes' }
    server.put(leases, { ...server.store.objects.get(`${leases}/leader`), metadata: { ...place, labels } })
    await pass(20_000)
    expect([a.election.held(), a.events, a.errors]).toEqual([true, ['acquired'], []])
  })

  it('writes only every two seconds', async () => {
    candidate('a')
    await pass(250)
    const before = server.requests.length
    await pass(60_000)
    expect(server.requests.length - before).toBe(30)
  })
})
