/** The CA that the operator makes for itself, when somebody removes or breaks what holds it, or the clock jumps. */
import { X509Certificate } from 'node:crypto'
import { beforeAll, describe, expect, inject, test } from 'vitest'
import { authorityLife, makeAuthority } from '../../../src/admission/authority.ts'
import { release } from '../install.ts'
import { selector } from '../replicas.ts'
import { admissionsThroughout, type Flow, inRelease } from './admissions.ts'
import { bothReady } from './replicas.ts'
import { eventually, type Space } from './support.ts'
import {
  fingerprints,
  isFrom,
  nudge,
  readBundles,
  readSecret,
  servedLeaf,
  servedLeaves,
  writeBundles,
  writeSecret,
} from './trust.ts'

let place: Space
let flow: Flow

beforeAll(async () => {
  const { end, ...started } = await admissionsThroughout('authority')
  ;({ place, flow } = started)
  return end
})

/**
 * Waits until both configurations trust what the Secret says, and both replicas serve what its CA has signed, which is
 * another one than `not`.
 */
const agreement = (not?: string) =>
  eventually('Secret, webhook configurations and both replicas agree on one CA', async () => {
    const { 'tls.crt': signer = '', 'ca.crt': trusted = '' } = (await readSecret(place.cluster)) ?? {}
    const wanted = `${fingerprints(trusted)}`
    const bundles = await readBundles(place.cluster)
    const leaves = await servedLeaves(place.cluster)
    return (
      wanted !== '' &&
      signer !== not &&
      bundles.every((bundle) => `${fingerprints(bundle)}` === wanted) &&
      leaves.every((leaf) => isFrom(leaf, signer)) && { signer, trusted, leaves }
    )
  })

const serials = (leaves: X509Certificate[]) => leaves.map(({ serialNumber }) => serialNumber).toSorted()

const works = async () => expect((await flow.during('afterwards')).failures).toEqual([])

const day = 24 * 3_600_000

describe.skipIf(inject('cluster').context !== undefined)('The certificate authority', () => {
  test('and what it signed end when readiness and metrics say', async () => {
    const { signer } = await agreement()
    const { validToDate: authorityEnd } = new X509Certificate(signer)
    for (const { name, ip } of await bothReady(place.cluster)) {
      const { validToDate: end } = await servedLeaf(place.cluster, ip)
      const path = `/api/v1/namespaces/${release}/pods/https:${name}:8443/proxy`
      const get = (rest: string) => place.cluster.kubectl('get', '--raw', `${path}/${rest}`)
      expect(await get('readyz?verbose')).toContain(
        `[+]certificate ok: until ${end.toISOString()}, its authority until ${authorityEnd.toISOString()}\n`,
      )
      const metrics = await get('metrics')
      expect(metrics).toContain(`\nmysql_operator_certificate_expiry_seconds ${end.getTime() / 1000}\n`)
      expect(metrics).toContain(
        `\nmysql_operator_authority_expiry_seconds ${authorityEnd.getTime() / 1000}\n`,
      )
    }
  })

  test.each([
    ['removes it', async () => undefined],
    ['puts another one there', async () => (await makeAuthority(Date.now())).cert],
  ])('is put back into the webhook configurations when somebody %s', async (what, text) => {
    const before = await agreement()
    await flow.during(`somebody ${what}`, async () => {
      await writeBundles(place.cluster, await text())
      const start = Date.now()
      const { signer, trusted, leaves } = await agreement()
      expect([signer, trusted]).toEqual([before.signer, before.trusted])
      // Nothing was due.
      expect(serials(leaves)).toEqual(serials(before.leaves))
      console.log(`put back after ${Date.now() - start} ms at most`)
    })
    await works()
  })

  test.each([
    ['has ended: the clock was set forward, or nothing ran for a year', -authorityLife - day],
    ['has not begun: the clock was set back', 2 * day],
  ])('is replaced at once when it %s', async (_, offset) => {
    const wrong = await makeAuthority(Date.now() + offset)
    await writeSecret(place.cluster, {
      'tls.crt': wrong.cert,
      'tls.key': wrong.key,
      'next.crt': null,
      'next.key': null,
    })
    await nudge(place.cluster)
    await agreement(wrong.cert)
    await works()
  })

  test('is one again when it was lost, and both replicas were, at the same moment', async () => {
    const before = await agreement()
    await flow.during('the CA and both replicas are lost', async () => {
      const pods = ['-l', selector, '--grace-period=0', '--force']
      await Promise.all([
        inRelease(place.cluster, 'delete', 'secret', `${release}-ca`),
        inRelease(place.cluster, 'delete', 'pods', ...pods),
      ])
      await agreement(before.signer)
    })
    const { trusted } = await agreement()
    expect(fingerprints(trusted)).toHaveLength(1)
    await works()
  })
})
