import { describe, expect, it } from 'vitest'
import { type Client, createClient } from '../../src/kube/client.ts'
import { ConfigMap } from '../../src/kube/kinds.ts'
import { LeaseElection, NotLeader } from '../../src/kube/lease.ts'
import { candidate, clock, counted, leases, pass, place, server, stored, writesOf } from './elections.ts'

describe('losing the Lease', () => {
  it('is over at the deadline when no renewal succeeds, and before anybody else starts', async () => {
    const a = candidate('a')
    await pass(250)
    const b = candidate('b')
    await pass(2_000)
    const due = server.inject({ do: 'status', code: 500 }, writesOf('a'), 99)
    const start = clock.now()
    await pass(10_000)
    expect(due.left()).toBeLessThan(99)
    expect(a.election.held()).toBe(false)
    expect(a.events).toEqual(['acquired', 'lost'])
    await a.done
    while (!b.election.held()) await pass(250)
    expect(clock.now() - start).toBeGreaterThan(12_500)
  })

  it('is seen in the first moment after the process was stopped', async () => {
    const a = candidate('a')
    await pass(250)
    clock.jump(20_000)
    expect(a.election.held()).toBe(false)
    expect(() => a.election.fence()).toThrow(NotLeader)
    await clock.advance(0)
    expect(a.events).toEqual(['acquired', 'lost'])
    expect(a.election.held()).toBe(false)
  })

  it('stops every write of a process that was stopped while another took over', async () => {
    const a = candidate('a')
    await pass(250)
    const fenced = createClient(server.connection, { clock, beforeWrite: a.election.fence })
    const manifest = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'shop', name: 'one' } }
    await fenced.create(ConfigMap, manifest)
    clock.jump(20_000)
    await expect(fenced.apply(ConfigMap, manifest)).rejects.toThrow(NotLeader)
    expect(server.writes().filter((seen) => seen.path.includes('configmaps'))).toHaveLength(1)
  })

  /** A holder whose renewals go through `renew`, which gets the number of the renewal. */
  const holder = (renew: (send: () => Promise<unknown>, n: number) => Promise<unknown>) => {
    const real = counted(createClient(server.connection, { clock }))
    let n = 0
    const patch = (...given: Parameters<Client['patch']>) => renew(() => real.patch(...given), ++n)
    const client = new Proxy(real, {
      get: (target, verb: keyof Client) => (verb === 'patch' ? patch : target[verb]),
    })
    const events: string[] = []
    const options = { ...place, identity: 'a', clock, onLost: () => events.push('lost') }
    const election = new LeaseElection(client, options)
    return { election, events, done: election.run(new AbortController().signal) }
  }

  it('counts from before the renewal was sent, not from its answer', async () => {
    const { election } = holder(async (send, n) => {
      if (n > 1) throw new Error('unreachable')
      const answer = await send()
      // The process stands still between the server's answer and its being read.
      clock.jump(7_000)
      return answer
    })
    await pass(2_250)
    expect(election.held()).toBe(true)
    await pass(2_500)
    expect(election.held()).toBe(true)
    await pass(750)
    expect(election.held()).toBe(false)
  })

  it('is final: an answer that comes too late does not bring it back', async () => {
    const { election, events, done } = holder(async (send, n) => {
      if (n < 4) throw new Error('unreachable')
      const answer = await send()
      clock.jump(3_000)
      return answer
    })
    await pass(12_000)
    await done
    expect([election.held(), events]).toEqual([false, ['lost']])
  })

  it('is noticed with the next renewal when somebody else holds it', async () => {
    const a = candidate('a')
    await pass(250)
    server.put(leases, { metadata: place, spec: { holderIdentity: 'hijacker', leaseDurationSeconds: 15 } })
    await pass(2_000)
    expect(a.events).toEqual(['acquired', 'lost'])
    await a.done
    expect(stored()).toMatchObject({ holderIdentity: 'hijacker' })
  })
})
