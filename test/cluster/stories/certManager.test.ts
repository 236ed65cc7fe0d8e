/**
 * Certificates by cert-manager, with one value of the chart. The test does what cert-manager would: it makes the Secret that
 * the chart's Certificate asks for, renews it, and injects the CA where the annotation says so.
 */
import { X509Certificate } from 'node:crypto'
import { beforeAll, describe, expect, inject, test } from 'vitest'
import { type KeyPair, makeAuthority } from '../../../src/admission/authority.ts'
import { issue } from '../../../src/admission/certificates.ts'
import { installOperator, release } from '../install.ts'
import { selector } from '../replicas.ts'
import { admissionsThroughout, type Flow, inRelease, patient } from './admissions.ts'
import { bothReady } from './replicas.ts'
import { eventually, type Space } from './support.ts'
import { readBundles, servedLeaves, writeBundles } from './trust.ts'

/** Of the Certificate that the chart makes, and of the Secret that it asks for. */
const name = `${release}-tls`

/** All that helm and the API server need to know of cert-manager's kinds. */
const definitions = Object.entries({ certificates: 'Certificate', issuers: 'Issuer' }).map(
  ([plural, kind]) => ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.cert-manager.io` },
    spec: {
      group: 'cert-manager.io',
      scope: 'Namespaced',
      names: { plural, kind, singular: kind.toLowerCase() },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        },
      ],
    },
  }),
)
const definitionNames = definitions.map(({ metadata }) => `crd/${metadata.name}`)

let place: Space
let flow: Flow
let authority: KeyPair

/** What the Certificate asks for, signed anew and put into the Secret; answers the leaf. */
const sign = async (): Promise<X509Certificate> => {
  const text = await eventually('the chart has made a Certificate', () =>
    inRelease(place.cluster, 'get', 'certificate', name, '-o', 'json'),
  )
  const { spec } = JSON.parse(text) as { spec: { secretName: string; dnsNames: string[] } }
  const { cert, key } = await issue(authority, spec.dnsNames, Date.now())
  await place.cluster.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/tls',
    metadata: { name: spec.secretName, namespace: release },
    stringData: { 'tls.crt': cert, 'tls.key': key, 'ca.crt': authority.cert },
  })
  return new X509Certificate(cert)
}

const injectsFrom = (kind: string) =>
  place.cluster.kubectl(
    'get',
    kind,
    release,
    '-o',
    String.raw`jsonpath={.metadata.annotations.cert-manager\.io/inject-ca-from}`,
  )

/** Waits until admissions do not fail any more: whoever was about to leave may have been trusted by the CA before only. */
const worksAgain = () =>
  eventually('no admission fails', async () => {
    const { failures } = await flow.during('afterwards')
    return failures.length === 0
  })

const served = async () => (await servedLeaves(place.cluster)).map(({ serialNumber }) => serialNumber)

describe.skipIf(inject('cluster').context !== undefined)('With certManager.enabled=true', () => {
  let first: X509Certificate

  beforeAll(async () => {
    authority = await makeAuthority(Date.now())
    const { end, ...started } = await admissionsThroughout('certmanager')
    ;({ place, flow } = started)
    const { cluster } = place
    await cluster.apply(definitions)
    await cluster.kubectl('wait', ...definitionNames, '--for=condition=Established', '--timeout=60s')
    return async () => {
      await end()
      await cluster.kubectl('delete', ...definitionNames, '--ignore-not-found')
      await inRelease(cluster, 'delete', 'secret', name, '--ignore-not-found')
    }
  })

  test('the operator serves the certificate that was made for it, and leaves the CA to who injects it', async () => {
    await flow.during('cert-manager takes over', async () => {
      const installed = installOperator(place.cluster, { ...patient, 'certManager.enabled': 'true' })
      first = await sign()
      await installed
      for (const kind of ['mutatingwebhookconfiguration', 'validatingwebhookconfiguration'])
        expect(await injectsFrom(kind)).toBe(`${release}/${name}`)
      await writeBundles(place.cluster, authority.cert)
      await bothReady(place.cluster)
    })
    await worksAgain()
    expect(await served()).toEqual([first.serialNumber, first.serialNumber])
    expect(await readBundles(place.cluster)).toEqual([authority.cert, authority.cert])
    const [replica] = await bothReady(place.cluster)
    const path = `/api/v1/namespaces/${release}/pods/https:${replica?.name}:8443/proxy/readyz?verbose`
    const { validToDate: authorityEnd } = new X509Certificate(authority.cert)
    expect(await place.cluster.kubectl('get', '--raw', path)).toContain(
      `[+]certificate ok: until ${first.validToDate.toISOString()}, its authority until ${authorityEnd.toISOString()}\n`,
    )
  })

  test('one that was renewed is served by the same processes, and no admission fails', async () => {
    const before = (await bothReady(place.cluster)).map(({ containerID }) => containerID)
    const { failures } = await flow.during('renewal by cert-manager', async () => {
      const { serialNumber } = await sign()
      // The kubelet looks at Secrets of a pod when the pod changes; by itself it would a minute later.
      await inRelease(
        place.cluster,
        'annotate',
        'pods',
        '-l',
        selector,
        '--overwrite',
        `test/renewed=${serialNumber}`,
      )
      await eventually(
        'both replicas serve the new certificate',
        async () => (await served()).every((serial) => serial === serialNumber),
        240,
      )
    })
    expect(failures).toEqual([])
    expect((await bothReady(place.cluster)).map(({ containerID }) => containerID)).toEqual(before)
  })

  test('and without it the operator makes its own again', async () => {
    await flow.during('cert-manager goes', async () => {
      await installOperator(place.cluster, patient)
      await bothReady(place.cluster)
    })
    await worksAgain()
    for (const bundle of await readBundles(place.cluster)) expect(bundle).not.toContain(authority.cert)
  })
})
