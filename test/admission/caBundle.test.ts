import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { keepCaBundle } from '../../src/admission/caBundle.ts'
import { createClient } from '../../src/kube/client.ts'
import { FakeClock } from '../kube/fakeClock.ts'
import { type FakeServer, isList, isWatch, startFakeServer } from '../kube/fakeServer.ts'
import type { Loose } from './fixtures.ts'

let server: FakeServer
beforeEach(async () => {
  server = await startFakeServer()
})
afterEach(() => server.stop())

describe('the CA in the webhook configurations', () => {
  const base = '/apis/admissionregistration.k8s.io/v1'
  const put = (kind: 'mutating' | 'validating', caBundle?: string) =>
    server.put(`${base}/${kind}webhookconfigurations`, {
      metadata: { name: 'op' },
      webhooks: [
        { name: 'a', clientConfig: { service: { name: 'op' }, ...(caBundle ? { caBundle } : {}) } },
        { name: 'b', clientConfig: { url: 'https://elsewhere' } },
      ],
    })
  const bundles = () =>
    ['mutating', 'validating'].map((kind) =>
      server.store.objects
        .get(`${base}/${kind}webhookconfigurations/op`)
        ?.webhooks.map(({ clientConfig }: Loose) => clientConfig.caBundle),
    )
  const encoded = (text: string) => Buffer.from(text).toString('base64')

  const keeper = (bundle: () => string | undefined, refresh = async () => true) => {
    const errors: unknown[] = []
    const clock = new FakeClock()
    const kept = keepCaBundle({
      client: createClient(server.connection),
      name: 'op',
      bundle,
      refresh,
      clock,
      onError: (error) => errors.push(error),
    })
    return { kept, clock, errors }
  }

  test('is written into both where it is missing or wrong, and only into webhooks of the Service', async () => {
    put('mutating')
    put('validating', encoded('old'))
    await keeper(() => 'new').kept.run()
    expect(bundles()).toEqual([
      [encoded('new'), undefined],
      [encoded('new'), undefined],
    ])
  })

  test('is not written where it is right', async () => {
    put('mutating', encoded('new'))
    put('validating', encoded('new'))
    await keeper(() => 'new').kept.run()
    expect(server.writes()).toEqual([])
  })

  const breakages: [string, () => void][] = [
    ['removes it', () => put('mutating')],
    ['puts another one there', () => put('mutating', encoded('theirs'))],
    [
      'makes the configuration anew',
      () => {
        server.store.drop(`${base}/mutatingwebhookconfigurations/op`)
        put('mutating')
      },
    ],
  ]

  test.each(breakages)('is put back at once when somebody %s: no time has to pass', async (_, broken) => {
    put('mutating')
    put('validating')
    const { kept } = keeper(() => 'new')
    await kept.run()
    await vi.waitFor(() => expect(server.watchers.size).toBe(2))
    broken()
    await vi.waitFor(() => expect(bundles()[0]).toEqual([encoded('new'), undefined]))
    kept.stop()
  })

  test('is watched by name, which is all that the rights allow', async () => {
    const { kept } = keeper(() => 'new')
    await vi.waitFor(() => expect(server.watchers.size).toBe(2))
    const selections = server.requests.filter((seen) => isList(seen) || isWatch(seen))
    for (const { query } of selections) expect(query.get('fieldSelector')).toBe('metadata.name=op')
    kept.stop()
    await vi.waitFor(() => expect(server.watchers.size).toBe(0))
  })

  test('is put back within ten minutes also where no watch tells of it', async () => {
    put('mutating')
    put('validating')
    server.mute('mutatingwebhookconfigurations')
    const { kept, clock } = keeper(() => 'new')
    await kept.run()
    await vi.waitFor(() => expect(server.watchers.size).toBe(2))
    put('mutating')
    await clock.advance(600_000)
    await vi.waitFor(() => expect(bundles()[0]).toEqual([encoded('new'), undefined]))
    kept.stop()
  })

  test('does without configurations that are not there, and with one alone', async () => {
    const { kept, errors } = keeper(() => 'new')
    await kept.run()
    put('validating')
    await kept.run()
    expect([bundles()[1], errors]).toEqual([[encoded('new'), undefined], []])
    kept.stop()
  })

  test('is not undone by a replica that knows only the bundle of yesterday', async () => {
    put('mutating', encoded('old+new'))
    let known = 'old'
    const { kept } = keeper(
      () => known,
      async () => {
        known = 'old+new'
        return true
      },
    )
    await kept.run()
    expect(bundles()[0]).toEqual([encoded('old+new'), undefined])
    kept.stop()
  })

  test('is left alone when the newest bundle cannot be read, and tried again soon', async () => {
    put('mutating', encoded('old+new'))
    const { kept, clock, errors } = keeper(
      () => 'old',
      async () => false,
    )
    expect(await kept.run()).toBe(false)
    expect(server.writes()).toEqual([])
    expect(errors).toHaveLength(1)
    expect(clock.isWaiting(15_000)).toBe(true)
    kept.stop()
  })

  test('is not touched when somebody else publishes it', async () => {
    put('mutating')
    await keeper(() => undefined).kept.run()
    expect(server.requests).toEqual([])
  })
})
