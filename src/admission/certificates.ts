/** The serving certificate: where it comes from, when it is renewed, and who hears of it. */
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { generate } from 'selfsigned'
import { type Clock, systemClock } from '../kube/clock.ts'
import {
  type Authority,
  type AuthorityOptions,
  belongTogether,
  bundleOf,
  isDue,
  type KeyPair,
  readAuthority,
  skew,
} from './authority.ts'
import { periodic } from './periodic.ts'

/** What the server serves. */
export interface Certificate extends KeyPair {
  /** What clients are to trust, PEM; undefined if somebody else tells them. */
  bundle: string | undefined
  expires: Date
  /** Of the CA that signed it; undefined if it is not known. */
  authorityExpires: Date | undefined
}

/**
 * Gives the certificate to serve; the one before, itself, where nothing has changed. `thorough`: looks everywhere, whatever
 * it costs.
 */
export type CertificateSource = (before: Certificate | undefined, thorough: boolean) => Promise<Certificate>

/** Validity of a leaf, in milliseconds. */
export const leafLife = 30 * 24 * 3_600_000

export interface SelfMadeOptions extends AuthorityOptions {
  serviceName: string
  /** The Secret is read again after so many milliseconds; 10 minutes. It costs a request. */
  rereadMs?: number
}

/** Every name under which an API server, a scraper or a person on a port-forward reaches the Service. */
export const serviceNames = (service: string, namespace: string): string[] => [
  service,
  `${service}.${namespace}`,
  `${service}.${namespace}.svc`,
  `${service}.${namespace}.svc.cluster.local`,
  'localhost',
]

/** A leaf of our own, which only this replica has, signed by the CA that all replicas share. */
export const selfMade = (options: SelfMadeOptions): CertificateSource => {
  const { now, serviceName, namespace, rereadMs = 600_000 } = options
  let authority: Authority | undefined
  let readAt = 0
  const isStale = () => now() < readAt || now() - readAt >= rereadMs
  return async (before, thorough) => {
    if (!authority || thorough || isStale() || !before || isDue(before.cert, now())) {
      authority = await readAuthority(options, authority)
      readAt = now()
    }
    const { signer, trusted } = authority
    const bundle = bundleOf(trusted)
    const signed = before && new X509Certificate(before.cert).checkIssued(new X509Certificate(signer.cert))
    if (before && signed && !isDue(before.cert, now()))
      return before.bundle === bundle ? before : { ...before, bundle }
    const pair = await issue(signer, serviceNames(serviceName, namespace), now())
    return describe(pair, bundle, signer.cert)
  }
}

/** A leaf for `names`; it never outlives its CA. */
export const issue = async (signer: KeyPair, names: readonly string[], now: number): Promise<KeyPair> => {
  const end = Math.min(now + leafLife, new X509Certificate(signer.cert).validToDate.getTime())
  const { cert, private: key } = await generate([{ name: 'commonName', value: names[0] ?? '' }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notBeforeDate: new Date(now - skew),
    notAfterDate: new Date(end),
    ca: signer,
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      { name: 'subjectAltName', altNames: names.map((value) => ({ type: 2, value })) },
    ],
  })
  return { cert, key }
}

const describe = (pair: KeyPair, bundle: string | undefined, authority: string | undefined): Certificate => ({
  ...pair,
  bundle,
  expires: new X509Certificate(pair.cert).validToDate,
  authorityExpires: authority === undefined ? undefined : new X509Certificate(authority).validToDate,
})

/**
 * tls.crt, tls.key and ca.crt of a folder that somebody else keeps, such as cert-manager through a mounted Secret. Who
 * makes them tells clients whom to trust, so there is no bundle.
 */
export const mounted =
  (folder: string): CertificateSource =>
  async (before) => {
    const read = (file: string) => readFile(join(folder, file), 'utf8')
    const [cert, key, authority] = await Promise.all([
      read('tls.crt'),
      read('tls.key'),
      read('ca.crt').catch(ifMissing),
    ])
    // The three are replaced together, but were read one after the other.
    if (!belongTogether({ cert, key }))
      throw new Error(
        `tls.crt and tls.key in ${folder} do not belong together: check the Secret that is mounted there`,
      )
    const found = describe({ cert, key }, undefined, authority)
    return isDeepStrictEqual(found, before) ? (before ?? found) : found
  }

const ifMissing = (error: NodeJS.ErrnoException) => {
  if (error.code === 'ENOENT') return undefined
  throw error
}

export interface CertificatesOptions {
  /** Looked at again after so many milliseconds; a minute. */
  everyMs?: number
  onError: (error: unknown) => void
  clock?: Clock
}

/** The certificate in use, kept fresh. */
export interface Certificates {
  current: () => Certificate
  /** Called with each new certificate or bundle, but not with the first. */
  onChange: (listener: (certificate: Certificate) => void) => void
  /** Looks at the source now, thoroughly. False if that failed; `onError` has heard why. */
  check: () => Promise<boolean>
  stop: () => void
}

/** Gets the first certificate, or throws; from then on looks at the source again and again until `stop`. */
export const keepCertificates = async (
  source: CertificateSource,
  { everyMs = 60_000, onError, clock = systemClock }: CertificatesOptions,
): Promise<Certificates> => {
  let current = await source(undefined, true)
  let thorough = false
  const listeners: ((certificate: Certificate) => void)[] = []
  const checks = periodic(
    async () => {
      const wanted = thorough
      thorough = false
      const next = await source(current, wanted)
      if (next === current) return
      current = next
      for (const listener of listeners) listener(next)
    },
    { everyMs, retryMs: everyMs, onError, clock },
  )
  void checks.run()
  return {
    current: () => current,
    onChange: (listener) => void listeners.push(listener),
    check: () => {
      thorough = true
      return checks.run()
    },
    stop: checks.stop,
  }
}
