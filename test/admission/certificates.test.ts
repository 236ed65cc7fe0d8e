import { X509Certificate } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { makeAuthority } from '../../src/admission/authority.ts'
import { issue, keepCertificates, mounted, selfMade } from '../../src/admission/certificates.ts'
import { createClient } from '../../src/kube/client.ts'
import { FakeClock } from '../kube/fakeClock.ts'
import { type FakeServer, startFakeServer } from '../kube/fakeServer.ts'
import type { Loose } from './fixtures.ts'

const day = 24 * 3_600_000
const secrets = '/api/v1/namespaces/operators/secrets'
const start = Date.UTC(2030, 0, 1)

let server: FakeServer
beforeEach(async () => {
  server = await startFakeServer()
})
afterEach(() => server.stop())

const options = (now: () => number) => ({
  client: createClient(server.connection),
  namespace: 'operators',
  secretName: 'ca',
  now,
})

describe('the certificate in use', () => {
  const errors: unknown[] = []
  const kept = async (clock: FakeClock) => {
    errors.length = 0
    const source = selfMade({ ...options(clock.wall), serviceName: 'op' })
    const certificates = await keepCertificates(source, { clock, onError: (error) => errors.push(error) })
    await certificates.check()
    return certificates
  }

  test('stays the same, and costs a request every ten minutes', async () => {
    const clock = new FakeClock()
    const certificates = await kept(clock)
    const [before, requests] = [certificates.current(), server.requests.length]
    certificates.onChange(() => {
      throw new Error('nothing has changed')
    })
    for (let minute = 0; minute < 9; minute++) await clock.advance(60_000)
    expect(server.requests.length).toBe(requests)
    expect(certificates.current()).toBe(before)
    expect(errors).toEqual([])
    certificates.stop()
  })

  test('is looked at as often when the clock was set back a little', async () => {
    const clock = new FakeClock()
    const certificates = await kept(clock)
    clock.set(-day / 48)
    const before = server.requests.length
    for (let minute = 0; minute < 2; minute++) await clock.advance(60_000)
    await vi.waitFor(() => expect(server.requests.length).toBeGreaterThan(before))
    certificates.stop()
  })

  test('is followed at once by who asks, also to a CA that was deleted and made anew by another replica', async () => {
    const [clock, other] = [new FakeClock(), new FakeClock()]
    const certificates = await kept(clock)
    const second = await kept(other)
    const before = certificates.current()
    server.store.drop(`${secrets}/ca`)
    await second.check()
    await certificates.check()
    // The new CA is trusted first. When it signs, an hour later, both know it.
    expect(certificates.current().cert).toBe(before.cert)
    expect(certificates.current().bundle?.match(/BEGIN/g)).toHaveLength(2)
    expect(certificates.current().bundle).toBe(second.current().bundle)
    for (const each of [clock, other]) each.jump(2 * 3_600_000)
    await second.check()
    await certificates.check()
    expect(certificates.current().cert).not.toBe(before.cert)
    expect(certificates.current().authorityExpires).toEqual(second.current().authorityExpires)
    expect(certificates.current().bundle).toBe(second.current().bundle)
    certificates.stop()
    second.stop()
  })

  test.each([
    [
      'the last third of its life begins',
      async (clock: FakeClock) => {
        clock.jump(19.98 * day)
        await clock.advance(30 * 60_000)
      },
    ],
    [
      'the process is paused, or the clock is set, for 25 days',
      async (clock: FakeClock) => {
        clock.jump(25 * day)
        await clock.advance(60_000)
      },
    ],
    [
      'it has expired while the process was paused',
      async (clock: FakeClock) => {
        clock.jump(40 * day)
        await clock.advance(60_000)
      },
    ],
    [
      'the clock is set back to before it was made',
      async (clock: FakeClock) => {
        clock.set(-3 * day)
        await clock.advance(60_000)
      },
    ],
  ])('is renewed by itself when %s', async (_, pass) => {
    const clock = new FakeClock()
    const certificates = await kept(clock)
    const before = certificates.current()
    await pass(clock)
    await vi.waitFor(() => expect(certificates.current().cert).not.toBe(before.cert))
    const { validFromDate, validToDate } = new X509Certificate(certificates.current().cert)
    expect(validFromDate.getTime()).toBeLessThan(clock.wall())
    expect(validToDate.getTime()).toBeGreaterThan(clock.wall() + 20 * day)
    expect(errors).toEqual([])
    certificates.stop()
  })

  test('is renewed when it is due, also after a jump of the clock, and told to whoever listens', async () => {
    const clock = new FakeClock()
    const certificates = await kept(clock)
    const heard: unknown[] = []
    certificates.onChange((certificate) => heard.push(certificate))
    const before = certificates.current()
    clock.jump(25 * day)
    await certificates.check()
    const after = certificates.current()
    expect(after.cert).not.toBe(before.cert)
    expect(after.expires.getTime()).toBeGreaterThan(before.expires.getTime())
    expect(after.bundle).toBe(before.bundle)
    expect(heard).toEqual([after])
    certificates.stop()
  })

  test('follows the CA: bundle first, then the leaf', async () => {
    const clock = new FakeClock()
    const certificates = await kept(clock)
    const heard: Loose[] = []
    certificates.onChange((certificate) => heard.push(certificate))
    clock.jump(250 * day)
    await certificates.check()
    clock.jump(day / 2)
    await certificates.check()
    const [staged, switched] = heard
    expect(staged.bundle.match(/BEGIN/g)).toHaveLength(2)
    expect(switched.bundle.match(/BEGIN/g)).toHaveLength(2)
    expect(switched.authorityExpires.getTime()).toBeGreaterThan(staged.authorityExpires.getTime())
    certificates.stop()
  })

  test('is kept while the API server cannot be reached', async () => {
    const clock = new FakeClock()
    const certificates = await kept(clock)
    const before = certificates.current()
    server.inject({ do: 'status', code: 500 }, () => true, 100)
    clock.jump(25 * day)
    expect(await certificates.check()).toBe(false)
    expect(certificates.current()).toBe(before)
    expect(errors).toHaveLength(1)
    certificates.stop()
  })
})

describe('a mounted certificate', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'certificate-'))
  })
  afterEach(() => rm(folder, { recursive: true }))
  const write = async () => {
    const signer = await makeAuthority(start)
    const leaf = await issue(signer, ['a'], start)
    await writeFile(join(folder, 'tls.crt'), leaf.cert)
    await writeFile(join(folder, 'tls.key'), leaf.key)
    await writeFile(join(folder, 'ca.crt'), signer.cert)
    return leaf
  }

  test('is read, and read again when it has changed', async () => {
    const first = await write()
    const before = await mounted(folder)(undefined, false)
    expect(before).toMatchObject({ ...first, bundle: undefined })
    expect(await mounted(folder)(before, false)).toBe(before)
    const second = await write()
    expect(await mounted(folder)(before, false)).toMatchObject(second)
  })

  test('is taken while the process runs, as the kubelet replaces it, and no bundle is told', async () => {
    await write()
    const clock = new FakeClock()
    const certificates = await keepCertificates(mounted(folder), { clock, onError: () => {} })
    const heard: unknown[] = []
    certificates.onChange((certificate) => heard.push(certificate))
    const second = await write()
    await clock.advance(60_000)
    await vi.waitFor(() => expect(heard).toEqual([expect.objectContaining({ ...second, bundle: undefined })]))
    certificates.stop()
  })

  test('is new as well when only its authority is', async () => {
    await write()
    const before = await mounted(folder)(undefined, false)
    await writeFile(join(folder, 'ca.crt'), (await makeAuthority(start + 90 * day)).cert)
    const after = await mounted(folder)(before, false)
    expect(after.cert).toBe(before.cert)
    expect(after.authorityExpires?.getTime()).toBe(start + 455 * day)
  })

  test('does without ca.crt', async () => {
    await write()
    await rm(join(folder, 'ca.crt'))
    expect((await mounted(folder)(undefined, false)).authorityExpires).toBeUndefined()
  })

  test('is not taken while certificate and key do not belong together', async () => {
    await write()
    await writeFile(join(folder, 'tls.key'), (await makeAuthority(start)).key)
    await expect(mounted(folder)(undefined, false)).rejects.toThrow(/do not belong together/)
  })
})
