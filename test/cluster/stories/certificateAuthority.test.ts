/** The CA that the operator makes for itself, when somebody removes or breaks what holds it. */
import { beforeAll, describe, expect, test } from 'vitest'
import { makeAuthority } from '../../../src/admission/authority.ts'
import { release } from '../install.ts'
import { selector } from '../replicas.ts'
import { type Flow, inRelease, startAdmissions } from './admissions.ts'
import { settled } from './replicas.ts'
import { closeSpace, eventually, openSpace, type Space, theCluster } from './support.ts'
import { fingerprints, isFrom, readBundles, readSecret, servedLeaves, writeBundles } from './trust.ts'

let place: Space
let flow: Flow

beforeAll(async () => {
  place = await openSpace(await theCluster(), 'authority')
  // What is on its way out may be of an older kind.
  await settled(place.cluster)
  flow = await startAdmissions(place)
  return async () => {
    await flow.stop()
    await closeSpace(place)
  }
})

/** Waits until both configurations trust what the Secret says, and both replicas serve what its CA has signed. */
const agreement = () =>
  eventually('Secret, webhook configurations and both replicas agree on one CA', async () => {
    const { 'tls.crt': signer = '', 'ca.crt': trusted = '' } = (await readSecret(place.cluster)) ?? {}
    const wanted = `${fingerprints(trusted)}`
    const bundles = await readBundles(place.cluster)
    const leaves = await servedLeaves(place.cluster)
    return (
      wanted !== '' &&
      bundles.every((bundle) => `${fingerprints(bundle)}` === wanted) &&
      leaves.every((leaf) => isFrom(leaf, signer)) && { signer, trusted }
    )
  })

describe('The certificate authority', () => {
  test.each([
    ['removes it', async () => undefined],
    ['puts another one there', async () => (await makeAuthority(Date.now())).cert],
  ])('is put back into the webhook configurations when somebody %s', async (what, text) => {
    const before = await agreement()
    await flow.during(`somebody ${what}`, async () => {
      await writeBundles(place.cluster, await text())
      const start = Date.now()
      expect(await agreement()).toEqual(before)
      console.log(`put back after ${Date.now() - start} ms at most`)
    })
    expect((await flow.during('afterwards', flow.some)).failures).toEqual([])
  })

  test('is one again when it was lost, and both replicas were, at the same moment', async () => {
    const before = await agreement()
    await flow.during('the CA and both replicas are lost', async () => {
      const pods = ['-l', selector, '--grace-period=0', '--force']
      await Promise.all([
        inRelease(place.cluster, 'delete', 'secret', `${release}-ca`),
        inRelease(place.cluster, 'delete', 'pods', ...pods),
      ])
      await settled(place.cluster)
      await agreement()
    })
    const after = await agreement()
    expect(fingerprints(before.trusted)).not.toContain(fingerprints(after.signer)[0])
    expect((await flow.during('afterwards', flow.some)).failures).toEqual([])
  })
})
