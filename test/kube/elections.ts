import { afterEach, beforeEach, expect } from 'vitest'
import { type Client, createClient } from '../../src/kube/client.ts'
import { LeaseElection, type LeaseOptions } from '../../src/kube/lease.ts'
import { FakeClock, settle } from './fakeClock.ts'
import { type FakeServer, type Seen, startFakeServer } from './fakeServer.ts'

export const leases = '/apis/coordination.k8s.io/v1/namespaces/shop/leases'
export const place = { namespace: 'shop', name: 'leader' }

export let server: FakeServer
export let clock: FakeClock
export let candidates: Candidate[]
export let busy: number
beforeEach(async () => {
  server = await startFakeServer()
  clock = new FakeClock()
  clock.chance = 0
  candidates = []
  busy = 0
  // The clock goes on only when no request is under way, so that requests take no time.
  clock.idle = async () => {
    do await settle()
    while (busy > 0)
  }
})
afterEach(async () => {
  for (const { stop } of candidates) stop.abort()
  await server.stop()
})

/** Counts the calls under way. */
export const counted = (client: Client): Client =>
  new Proxy(client, {
    get:
      (target, verb: keyof Client) =>
      async (...given: unknown[]) => {
        busy++
        try {
          return await (target[verb] as (...given: unknown[]) => Promise<unknown>)(...given)
        } finally {
          busy--
        }
      },
  })

export interface Candidate {
  election: LeaseElection
  stop: AbortController
  done: Promise<void>
  events: string[]
  errors: unknown[]
}

export const candidate = (identity: string, options: Partial<LeaseOptions> = {}): Candidate => {
  const events: string[] = []
  const errors: unknown[] = []
  const client = counted(createClient(server.connection, { clock }))
  const election = new LeaseElection(client, {
    ...place,
    identity,
    clock,
    onAcquired: () => events.push('acquired'),
    onLost: () => events.push('lost'),
    onError: (error) => errors.push(error),
    ...options,
  })
  const stop = new AbortController()
  const made = { election, stop, events, errors, done: election.run(stop.signal) }
  candidates.push(made)
  return made
}

export const stored = () => server.store.objects.get(`${leases}/leader`)?.spec
export const holders = () => candidates.filter(({ election }) => election.held()).length
/** Lets time pass in small steps; at no time may there be two holders. */
export const pass = async (ms: number, step = 250) => {
  for (let gone = 0; gone < ms; gone += step) {
    await clock.advance(step)
    expect(holders()).toBeLessThanOrEqual(1)
  }
}
export const writesOf = (identity: string) => (seen: Seen) =>
  seen.method === 'PATCH' && (seen.body?.spec?.holderIdentity ?? identity) === identity
