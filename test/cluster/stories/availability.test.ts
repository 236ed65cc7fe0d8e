/**
 * The webhooks fail closed: when no replica answers, or its certificate is not trusted, nobody can write a MySQL. So
 * admissions are sent without a pause, and what the operator goes through by itself must not cost one of them.
 */
import { beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import { type KeyPair, makeAuthority } from '../../../src/admission/authority.ts'
import { installOperator, release } from '../install.ts'
import { countedByServer, type Flow, inRelease, startAdmissions } from './admissions.ts'
import { bothReady, kill, leadership, type Replica, replicas, settled, takeover } from './replicas.ts'
import { closeSpace, eventually, openSpace, type Space, theCluster } from './support.ts'
import {
  fingerprints,
  isFrom,
  nudge,
  readBundles,
  readSecret,
  renewal,
  servedLeaves,
  writeSecret,
} from './trust.ts'

let place: Space
let flow: Flow
let counted: { asked: number; open: number }

beforeAll(async () => {
  place = await openSpace(await theCluster(), 'availability')
  counted = await countedByServer(place.cluster)
  // What is on its way out may be of an older kind.
  await settled(place.cluster)
  flow = await startAdmissions(place)
  return async () => {
    await flow.stop()
    await closeSpace(place)
  }
})

const restart = async () => {
  await inRelease(place.cluster, 'rollout', 'restart', `deployment/${release}`)
  await inRelease(place.cluster, 'rollout', 'status', `deployment/${release}`, '--timeout=120s')
  await bothReady(place.cluster)
}

/** Waits until the process of a replica has ended and another one runs in its pod, and both are ready. */
const restarted = async ({ uid, containerID }: Replica) => {
  await eventually('the process has ended and was started anew', async () =>
    (await replicas(place.cluster)).some((one) => one.uid === uid && one.containerID !== containerID),
  )
  await bothReady(place.cluster)
}

/** Waits until a replica that lost the Lease is not sent anything any more, while its process still answers. */
const leftService = async ({ uid, containerID }: Replica) => {
  await eventually('the former leader is not ready any more', async () =>
    (await replicas(place.cluster)).some((one) => one.uid === uid && !one.ready),
  )
  const found = (await replicas(place.cluster)).find((one) => one.uid === uid)
  expect(found?.containerID).toBe(containerID)
}

/**
 * The leader loses its Lease to somebody else, which is the end of its process, and nobody has taken it out of the Service
 * before. Until `outcome` the API server is made to open new connections, where old ones would keep it from noticing.
 */
const loseLease = async (outcome: (leader: Replica) => Promise<void>) => {
  const { leader } = await leadership(place.cluster)
  const patch = JSON.stringify({ spec: { holderIdentity: 'a-thief', leaseDurationSeconds: 5 } })
  await inRelease(place.cluster, 'patch', 'lease', release, '--type=merge', '-p', patch)
  let over = false
  const end = outcome(leader).finally(() => {
    over = true
  })
  while (!over) await nudge(place.cluster)
  await end
  await takeover(place.cluster, 'a-thief')
}

describe.skipIf(inject('cluster').context !== undefined)('No admission fails', () => {
  test('while the leader loses its Lease to somebody else, which ends its process', async () => {
    const { failures } = await flow.during('change of the leader', () => loseLease(leftService))
    expect(failures).toEqual([])
  })

  test('while the operator is updated, replica by replica', async () => {
    const before = (await replicas(place.cluster)).map(({ uid }) => uid)
    expect((await flow.during('rolling update', restart)).failures).toEqual([])
    for (const { uid } of await replicas(place.cluster)) expect(before).not.toContain(uid)
  })

  test('while the leader is deleted by force', async () => {
    const { leader } = await leadership(place.cluster)
    const { failures } = await flow.during('leader deleted by force', async () => {
      await inRelease(place.cluster, 'delete', 'pod', leader.name, '--grace-period=0', '--force')
      await bothReady(place.cluster)
    })
    expect(failures).toEqual([])
    expect((await replicas(place.cluster)).map(({ uid }) => uid)).not.toContain(leader.uid)
  })

  describe('while certificates change', () => {
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
      await writeSecret(place.cluster, {
        'tls.crt': cert,
        'tls.key': key,
        'next.crt': null,
        'next.key': null,
      })
      await eventually('both replicas serve a certificate of the new CA', async () => {
        if ((await servedLeaves(place.cluster)).every((leaf) => isFrom(leaf, cert))) return true
        await nudge(place.cluster)
        return false
      })
    }

    test('a CA is replaced by another one, which is nearly at its end', async () => {
      const day = 24 * 3_600_000
      const ending = await makeAuthority(Date.now() - 364.99 * day)
      expect((await flow.during('CA rotation', () => rotate(ending))).failures).toEqual([])
    })

    test('each replica renews the certificate that it serves: what that CA signs is always due', async () => {
      const { failures } = await flow.during('certificates renewed three times', async () => {
        for (let round = 0; round < 3; round++) await renewal(place.cluster)
      })
      expect(failures).toEqual([])
    })

    test('the CA that the operator has prepared by itself takes over, and the old ones go', async () => {
      const prepared = await eventually('the operator has prepared another CA', async () => {
        const { 'next.crt': cert, 'next.key': key } = (await readSecret(place.cluster)) ?? {}
        return cert !== undefined && key !== undefined && { cert, key }
      })
      const { failures } = await flow.during('CA rotation to its end', async () => {
        await rotate(prepared)
        await writeSecret(place.cluster, { 'ca.crt': prepared.cert })
        await nudge(place.cluster)
        const only = fingerprints(prepared.cert)
        await eventually('no other CA is trusted any more', async () =>
          (await readBundles(place.cluster)).every((one) => `${fingerprints(one)}` === `${only}`),
        )
      })
      expect(failures).toEqual([])
    })
  })

  test('while the last of the replicas that were replaced let go of their clients', async () => {
    expect((await flow.during('end of old replicas', () => settled(place.cluster))).failures).toEqual([])
  })
})

describe.skipIf(inject('cluster').context !== undefined)('Admissions fail, as they must, and closed', () => {
  test('while a killed replica is still in the Service, but none after that', async () => {
    const { leader } = await leadership(place.cluster)
    const { failures } = await flow.during('leader killed with SIGKILL', async () => {
      kill(leader)
      await restarted(leader)
    })
    // A review whose connection was broken or refused is not sent again: how many there are is a matter of luck.
    for (const failure of failures) expect(failure).toMatch(/^500 .*failed calling webhook/)
    expect((await flow.during('afterwards', flow.some)).failures).toEqual([])
  })

  test('when the leader loses its Lease and does not drain', async () => {
    onTestFinished(async () => {
      await installOperator(place.cluster)
      await settled(place.cluster)
    })
    await installOperator(place.cluster, { drainSeconds: '0' })
    const { failures } = await flow.during('change of the leader without the drain', () =>
      loseLease(restarted),
    )
    expect(failures.length).toBeGreaterThan(0)
  })

  test('and not one was let through without having been looked at', async () => {
    const { asked, open } = await countedByServer(place.cluster)
    expect(asked - counted.asked).toBeGreaterThan(1_000)
    expect(open).toBe(0)
  })
})
