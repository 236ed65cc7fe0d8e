/**
 * The webhooks fail closed: when no replica answers, or its certificate is not trusted, nobody can write a MySQL. So
 * admissions are sent without a pause, and what the operator goes through by itself must not cost one of them.
 */
import { beforeAll, describe, expect, inject, test } from 'vitest'
import { authorityLife, type KeyPair, makeAuthority } from '../../../src/admission/authority.ts'
import { release } from '../install.ts'
import { admissionsThroughout, countedByServer, type Flow, inRelease } from './admissions.ts'
import { loseLease } from './lease.ts'
import { bothReady, leadership, type Replica, replicas, settled, takeover } from './replicas.ts'
import { eventually, type Space } from './support.ts'
import { fingerprints, isFrom, nudge, readBundles, readSecret, servedLeaves, writeSecret } from './trust.ts'

let place: Space
let flow: Flow
let counted: { asked: number; open: number }

beforeAll(async () => {
  const { end, ...started } = await admissionsThroughout('availability')
  ;({ place, flow } = started)
  counted = await countedByServer(place.cluster)
  return end
})

/** Waits until a replica that lost the Lease is not sent anything any more, while its process still answers. */
const leftService = async ({ uid, containerID }: Replica) => {
  await eventually('the former leader is not ready any more', async () =>
    (await replicas(place.cluster)).some((one) => one.uid === uid && !one.ready),
  )
  const found = (await replicas(place.cluster)).find((one) => one.uid === uid)
  expect(found?.containerID).toBe(containerID)
}

const restart = async () => {
  await inRelease(place.cluster, 'rollout', 'restart', `deployment/${release}`)
  await inRelease(place.cluster, 'rollout', 'status', `deployment/${release}`, '--timeout=120s')
  await bothReady(place.cluster)
}

/** Publishes a CA, and lets it sign when that is known: what the operator does in an hour. */
const rotate = async ({ cert, key }: KeyPair) => {
  const { 'ca.crt': trusted = '' } = (await readSecret(place.cluster)) ?? {}
  await writeSecret(place.cluster, { 'ca.crt': `${trusted}${cert}\n` })
  const [wanted = ''] = fingerprints(cert)
  await eventually('the new CA is trusted', async () => {
    if ((await readBundles(place.cluster)).every((one) => fingerprints(one).includes(wanted))) return true
    await nudge(place.cluster)
    return false
  })
  await flow.some()
  await writeSecret(place.cluster, { 'tls.crt': cert, 'tls.key': key, 'next.crt': null, 'next.key': null })
  await eventually('both replicas serve a certificate of the new CA', async () => {
    if ((await servedLeaves(place.cluster)).every((leaf) => isFrom(leaf, cert))) return true
    await nudge(place.cluster)
    return false
  })
}

const minute = 60_000
/**
 * A leaf ends with its CA at the latest and begins an hour before it is made. So when its CA has half an hour left, a third
 * of the leaf's life is left too: 15 seconds from now.
 */
const endingAuthority = () => makeAuthority(Date.now() - authorityLife + 30.25 * minute)

const serials = async () => (await servedLeaves(place.cluster)).map(({ serialNumber }) => serialNumber)

/** Nobody tells the replicas: they look every minute. */
const renewedByThemselves = async () => {
  const before = await serials()
  await eventually(
    'both replicas serve a new certificate',
    async () => (await serials()).every((serial) => !before.includes(serial)),
    150,
  )
}

describe.skipIf(inject('cluster').context !== undefined)('No admission fails', () => {
  test('while the leader loses its Lease to somebody else, which ends its process', async () => {
    const change = () => loseLease(place.cluster, leftService)
    expect((await flow.during('change of the leader', change)).failures).toEqual([])
  })

  test('while the operator is updated, replica by replica', async () => {
    const before = (await replicas(place.cluster)).map(({ uid }) => uid)
    expect((await flow.during('rolling update', restart)).failures).toEqual([])
    for (const { uid } of await replicas(place.cluster)) expect(before).not.toContain(uid)
  })

  test('while the leader is deleted', async () => {
    const { leader, identity } = await leadership(place.cluster)
    const { failures } = await flow.during('leader deleted', async () => {
      await inRelease(place.cluster, 'delete', 'pod', leader.name, '--wait=false')
      await takeover(place.cluster, identity)
      await bothReady(place.cluster)
    })
    expect(failures).toEqual([])
    expect((await replicas(place.cluster)).map(({ uid }) => uid)).not.toContain(leader.uid)
  })

  test('while the CA is replaced by another one, which is nearly at its end', async () => {
    const ending = await endingAuthority()
    expect((await flow.during('CA rotation', () => rotate(ending))).failures).toEqual([])
  })

  test('while replicas renew their certificates at a third of their life, and those that were replaced let go of their clients', async () => {
    const before = (await bothReady(place.cluster)).map(({ containerID }) => containerID)
    const { failures } = await flow.during('leaf rotation, and the end of three replicas', () =>
      Promise.all([renewedByThemselves(), settled(place.cluster)]),
    )
    expect(failures).toEqual([])
    // Swapped live: no process was started anew.
    expect((await bothReady(place.cluster)).map(({ containerID }) => containerID)).toEqual(before)
  })

  test('while the CA that the operator has prepared by itself takes over, and the old ones go', async () => {
    const prepared = await eventually('the operator has prepared another CA', async () => {
      const { 'next.crt': cert, 'next.key': key } = (await readSecret(place.cluster)) ?? {}
      return cert !== undefined && key !== undefined && { cert, key }
    })
    const only = `${fingerprints(prepared.cert)}`
    const { failures } = await flow.during('CA rotation to its end', async () => {
      await rotate(prepared)
      await writeSecret(place.cluster, { 'ca.crt': prepared.cert })
      await nudge(place.cluster)
      await eventually('no other CA is trusted any more', async () =>
        (await readBundles(place.cluster)).every((one) => `${fingerprints(one)}` === only),
      )
    })
    expect(failures).toEqual([])
  })

  test('and not one was let through without having been looked at', async () => {
    const { asked, open } = await countedByServer(place.cluster)
    expect(asked).toBeGreaterThan(counted.asked)
    expect(open).toBe(0)
  })
})
