/** What no drain can prevent, and what happens without one: admissions fail, and closed. */
import { beforeAll, describe, expect, inject, test } from 'vitest'
import { installOperator } from '../install.ts'
import { admissionsThroughout, countedByServer, type Flow, patient } from './admissions.ts'
import { loseLease } from './lease.ts'
import { bothReady, kill, leadership, type Replica, replicas } from './replicas.ts'
import { whileKubeletStops } from './stopped.ts'
import { eventually, type Space } from './support.ts'

let place: Space
let flow: Flow

beforeAll(async () => {
  const { end, ...started } = await admissionsThroughout('lost')
  ;({ place, flow } = started)
  return end
})

/** Waits until the process of a replica has ended and another one runs in its pod, and both are ready. */
const restarted = async ({ uid, containerID }: Replica) => {
  await eventually('the process has ended and was started anew', async () =>
    (await replicas(place.cluster)).some((one) => one.uid === uid && one.containerID !== containerID),
  )
  await bothReady(place.cluster)
}

/** The leader's process ends, and for as long as nobody has noticed its pod is in the Service. */
const loseUnnoticed = () =>
  loseLease(place.cluster, async (leader) => {
    await whileKubeletStops(place.cluster, flow.failure)
    await restarted(leader)
  })

describe.skipIf(inject('cluster').context !== undefined)('Admissions fail', () => {
  test('while a replica that was killed is still in the Service, and none after that', async () => {
    const { leader } = await leadership(place.cluster)
    const { failures } = await flow.during('leader killed with SIGKILL', async () => {
      kill(leader)
      await restarted(leader)
    })
    // A review whose connection was broken or refused is not sent again: how many there are is a matter of luck.
    for (const failure of failures) expect(failure).toMatch(/^500 .*failed calling webhook/)
    expect((await flow.during('afterwards')).failures).toEqual([])
  })

  test('when the leader loses its Lease and does not drain', async () => {
    await installOperator(place.cluster, { ...patient, drainSeconds: '0' })
    const { failures } = await flow.during('change of the leader without the drain', loseUnnoticed)
    expect(failures.length).toBeGreaterThan(0)
    for (const failure of failures) expect(failure).toMatch(/^500 .*failed calling webhook/)
    expect((await flow.during('afterwards')).failures).toEqual([])
  })

  test('closed: not one was let through without having been looked at', async () => {
    expect((await countedByServer(place.cluster)).open).toBe(0)
  })
})
