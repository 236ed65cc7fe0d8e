import { X509Certificate } from 'node:crypto'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  type Authority,
  advance,
  bundleOf,
  isDue,
  makeAuthority,
  readAuthority,
} from '../../src/admission/authority.ts'
import { issue, serviceNames } from '../../src/admission/certificates.ts'
import { createClient } from '../../src/kube/client.ts'
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
const stored = (): Loose => server.store.objects.get(`${secrets}/ca`)
const x509 = (pem: string) => new X509Certificate(pem)

describe('the authority', () => {
  test('is an EC P-256 CA signed with SHA-256, for a year', async () => {
    const { cert } = await makeAuthority(start)
    const parsed = x509(cert)
    expect(parsed.ca).toBe(true)
    expect(parsed.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1')
    expect(parsed.signatureAlgorithm).toBe('ecdsa-with-SHA256')
    expect(parsed.validToDate.getTime()).toBe(start + 365 * day)
  })

  test('is the same for replicas that start at the same time', async () => {
    const replicas = Array.from({ length: 5 }, () => readAuthority(options(() => start)))
    const found = await Promise.all(replicas)
    expect(new Set(found.map(({ signer }) => signer.cert)).size).toBe(1)
    // More than one has tried.
    expect(server.writes().length).toBeGreaterThan(1)
    expect(stored().metadata.labels).toEqual({ 'app.kubernetes.io/managed-by': 'mysql-operator' })
  })

  test('is read and not written while nothing is due', async () => {
    await readAuthority(options(() => start))
    const writes = server.writes().length
    await readAuthority(options(() => start + 200 * day))
    expect(server.writes().length).toBe(writes)
  })

  test('that is damaged is left alone, with words that say what to do', async () => {
    await readAuthority(options(() => start))
    const other = await makeAuthority(start)
    for (const data of [{}, { ...stored().data, 'tls.key': Buffer.from(other.key).toString('base64') }]) {
      server.put(secrets, { ...stored(), data })
      await expect(readAuthority(options(() => start))).rejects.toThrow(
        /operators\/ca does not hold.*delete it/,
      )
    }
  })

  test('that was deleted is made anew, but signs only when it was trusted for an hour', async () => {
    const before = await readAuthority(options(() => start))
    server.store.drop(`${secrets}/ca`)
    const after = await readAuthority(
      options(() => start),
      before,
    )
    expect(after.signer).toEqual(before.signer)
    expect(after.trusted).toEqual([before.signer.cert, after.next?.cert])
    const later = await readAuthority(
      options(() => start + day / 12),
      after,
    )
    expect(later.signer).toEqual(after.next)
    expect(later.next).toBeUndefined()
  })

  test('that was deleted long ago, and has expired since, signs no more', async () => {
    const before = await readAuthority(options(() => start))
    server.store.drop(`${secrets}/ca`)
    const after = await readAuthority(
      options(() => start + 366 * day),
      before,
    )
    expect(after.signer).not.toEqual(before.signer)
    expect(after.next).toBeUndefined()
  })
})

describe('a rotation', () => {
  const life = async (days: number[]) => {
    const seen: Authority[] = []
    for (const after of days) seen.push(await readAuthority(options(() => start + after * day)))
    return seen
  }

  test('trusts the new CA first, lets it sign an hour later, and forgets the old one when it has expired', async () => {
    const due = 245
    const [first, staged, waiting, switched, gone] = await life([0, due, due + 0.04, due + 0.1, 366])
    expect(staged).toMatchObject({ signer: first?.signer, next: { cert: expect.any(String) } })
    expect(staged?.trusted).toEqual([first?.signer.cert, staged?.next?.cert])
    expect(waiting).toEqual(staged)
    expect(switched?.signer).toEqual(staged?.next)
    expect(switched?.next).toBeUndefined()
    expect(new Set(switched?.trusted)).toEqual(new Set(staged?.trusted))
    expect(gone).toEqual({ signer: switched?.signer, trusted: [switched?.signer.cert] })
    expect(Object.keys(stored().data).sort()).toEqual(['ca.crt', 'tls.crt', 'tls.key'])
  })

  test('ends the same for replicas that take its steps at the same time', async () => {
    await readAuthority(options(() => start))
    for (const after of [245, 246]) {
      const found = await Promise.all([1, 2, 3].map(() => readAuthority(options(() => start + after * day))))
      for (const each of found) expect(each).toEqual(found[0])
    }
  })

  test('is made up for at once when nobody ran for a year', async () => {
    const [before, after] = await life([0, 400])
    expect(after?.signer.cert).not.toBe(before?.signer.cert)
    expect(after?.trusted).toEqual([after?.signer.cert])
  })

  test('over ten years only ever signs with a CA that was trusted already', async () => {
    let authority: Authority = { signer: await makeAuthority(start), trusted: [] }
    authority.trusted = [authority.signer.cert]
    let trusted = authority.trusted
    for (let hour = 0; hour < 10 * 365 * 24; hour += 49) {
      const now = start + hour * 3_600_000
      authority = (await advance(authority, now, () => makeAuthority(now))) ?? authority
      expect(trusted).toContain(authority.signer.cert)
      expect(x509(authority.signer.cert).validToDate.getTime()).toBeGreaterThan(now + 30 * day)
      trusted = authority.trusted
      expect(trusted.length).toBeLessThanOrEqual(3)
    }
  })
})

describe('a clock that is set', () => {
  const isValid = (cert: string, now: number) =>
    x509(cert).validFromDate.getTime() <= now && now < x509(cert).validToDate.getTime()

  test('back, by as much as it was ahead when the CA was made: that CA is of no use, and goes', async () => {
    const ahead = await readAuthority(options(() => start + 100 * day))
    const after = await readAuthority(options(() => start))
    expect(after.signer.cert).not.toBe(ahead.signer.cert)
    expect(isValid(after.signer.cert, start)).toBe(true)
    // It signed while the clock was wrong.
    expect(after.trusted).toContain(ahead.signer.cert)
  })

  test('back during a rotation: a CA of the future never signs, and a new one is made instead', async () => {
    const due = start + 245 * day
    await readAuthority(options(() => start))
    const staged = await readAuthority(options(() => due))
    const back = await readAuthority(options(() => due - day))
    expect(back.signer).toEqual(staged.signer)
    expect(back.next?.cert).not.toBe(staged.next?.cert)
    expect(isValid(back.next?.cert ?? '', due - day)).toBe(true)
  })

  test('anyhow: what signs is valid then and trusted, and was trusted before unless there was no choice', async () => {
    const hours = fc.oneof(
      fc.integer({ min: 0, max: 48 }),
      fc.integer({ min: -20_000, max: 20_000 }),
      fc.constantFrom(-1, 1, 2, 245 * 24, -365 * 24),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(hours, { minLength: 1, maxLength: 12 }), async (jumps) => {
        let now = start
        const make = () => makeAuthority(now)
        const made = await make()
        let authority: Authority = { signer: made, trusted: [made.cert] }
        for (const jump of jumps) {
          now += jump * 3_600_000
          const before = authority
          // One step at a time, as replicas take them; in the end there is none left.
          for (let next: Authority | undefined = before, steps = 0; next; steps++) {
            authority = next
            expect(steps).toBeLessThan(4)
            next = await advance(authority, now, make)
          }
          expect(isValid(authority.signer.cert, now)).toBe(true)
          expect(authority.trusted).toContain(authority.signer.cert)
          if (isValid(before.signer.cert, now)) expect(before.trusted).toContain(authority.signer.cert)
        }
      }),
      { numRuns: 40 },
    )
  })
})

describe('a leaf', () => {
  test('is for every name of the Service, from the CA, for 30 days', async () => {
    const signer = await makeAuthority(start)
    const leaf = x509((await issue(signer, serviceNames('op', 'ns'), start)).cert)
    expect(leaf.subjectAltName).toBe(
      'DNS:op, DNS:op.ns, DNS:op.ns.svc, DNS:op.ns.svc.cluster.local, DNS:localhost',
    )
    expect(leaf.verify(x509(signer.cert).publicKey)).toBe(true)
    expect(leaf.signatureAlgorithm).toBe('ecdsa-with-SHA256')
    expect(leaf.ca).toBe(false)
    expect(leaf.validToDate.getTime()).toBe(start + 30 * day)
  })

  test('never outlives its CA', async () => {
    const signer = await makeAuthority(start)
    const leaf = await issue(signer, ['a'], start + 350 * day)
    expect(x509(leaf.cert).validToDate).toEqual(x509(signer.cert).validToDate)
  })

  test('is due when a third of its life is left, and when the clock went back behind its beginning', async () => {
    const { cert } = await issue(await makeAuthority(start), ['a'], start)
    expect(isDue(cert, start + 19 * day)).toBe(false)
    expect(isDue(cert, start + 21 * day)).toBe(true)
    expect(isDue(cert, start - 2 * day)).toBe(true)
  })
})

test('bundles are certificates one after the other', () => {
  expect(bundleOf(['A\n', 'B'])).toBe('A\nB\n')
})
