/** The certificate authority that signs what the webhooks are served with: one Secret, on which all replicas agree. */
import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto'
import { generate } from 'selfsigned'
import { labels, manager } from '../api/names.ts'
import type { Client, Ref } from '../kube/client.ts'
import { alreadyExists, conflict } from '../kube/errors.ts'
import { Secret } from '../kube/kinds.ts'

/** A certificate with its private key, both PEM. */
export interface KeyPair {
  cert: string
  key: string
}

/** What the Secret holds. */
export interface Authority {
  signer: KeyPair
  /** Signs as soon as everybody trusts it. */
  next?: KeyPair
  /** The certificates of all that may have signed or will sign, PEM: what clients are told to trust. */
  trusted: string[]
}

const day = 24 * 3_600_000
/** Validity of a CA, in milliseconds. */
export const authorityLife = 365 * day
/** Certificates begin so much before now, for clocks that are behind. */
export const skew = 3_600_000
/** So long a new CA is only trusted before it signs: time enough for every replica to publish it and every API server to see it. */
const publishing = 3_600_000

/** Less than a third of its life is left, or it has not begun: the clock was set. */
export const isDue = (cert: string, now: number): boolean => {
  const { validFromDate, validToDate } = new X509Certificate(cert)
  const [from, to] = [validFromDate.getTime(), validToDate.getTime()]
  return now < from || to - now < (to - from) / 3
}

const isExpired = (cert: string, now: number) => new X509Certificate(cert).validToDate.getTime() <= now

/** Neither expired nor, since the clock was set back, of the future: others believe what it signs. */
const isValid = (cert: string, now: number) =>
  new X509Certificate(cert).validFromDate.getTime() <= now && !isExpired(cert, now)

const isPublished = (cert: string, now: number) =>
  now >= new X509Certificate(cert).validFromDate.getTime() + skew + publishing

/**
 * The next step of a rotation, or undefined while there is nothing to do: a new CA is trusted first, signs later, and the
 * old one goes when it has expired. `make` makes a new CA.
 */
export const advance = async (
  authority: Authority,
  now: number,
  make: () => Promise<KeyPair>,
): Promise<Authority | undefined> => {
  const { signer } = authority
  const next = authority.next && isValid(authority.next.cert, now) ? authority.next : undefined
  const trusted = authority.trusted.filter((cert) => !isExpired(cert, now))
  const signs = isValid(signer.cert, now)
  if (next && (isPublished(next.cert, now) || !signs))
    return { signer: next, trusted: union([next.cert], trusted) }
  if (!signs) {
    // Nothing was running for months, or the clock was wrong. Who trusted the old one trusts nobody now, so there is
    // nothing to wait for.
    const fresh = await make()
    return { signer: fresh, trusted: union([fresh.cert], trusted) }
  }
  if (!next && isDue(signer.cert, now)) return stage({ signer, trusted }, await make())
  return trusted.length === authority.trusted.length ? undefined : { ...authority, trusted }
}

/** Trusted from now on, so that it can sign later. */
const stage = ({ signer, trusted }: Authority, next: KeyPair): Authority => ({
  signer,
  next,
  trusted: union(trusted, [next.cert]),
})

/** Without doubles. */
const union = (a: readonly string[], b: readonly string[]) => [...new Set([...a, ...b])]

/** A new CA: EC P-256, SHA-256. Every one has a name of its own, so that nobody takes one for the other. */
export const makeAuthority = async (now: number): Promise<KeyPair> => {
  const commonName = `${manager} CA ${randomBytes(8).toString('hex')}`
  const { cert, private: key } = await generate([{ name: 'commonName', value: commonName }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notBeforeDate: new Date(now - skew),
    notAfterDate: new Date(now + authorityLife),
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  })
  return { cert: normalised(cert), key }
}

/** The one spelling of a certificate, so that equal ones are equal texts. */
const normalised = (cert: string) => new X509Certificate(cert).toString()

export interface AuthorityOptions {
  client: Pick<Client, 'get' | 'create' | 'patch'>
  namespace: string
  secretName: string
  /** Milliseconds since 1970. */
  now: () => number
}

/**
 * Reads the Secret, makes it where it is missing, and takes the rotation's next step where one is due. Every replica may do
 * so at any time: whoever writes second finds what the first one wrote. `known` is what this replica read before: somebody
 * who deletes the Secret gets a new CA, which is trusted first and signs later like any other.
 */
export const readAuthority = async (options: AuthorityOptions, known?: Authority): Promise<Authority> => {
  const ref = { namespace: options.namespace, name: options.secretName }
  const { client, now } = options
  const make = () => makeAuthority(now())
  for (let tries = 1; ; tries++) {
    const secret = await client.get(Secret, ref)
    try {
      if (!secret) return await create(client, ref, await first(known, now(), make))
      const authority = parse(secret)
      const advanced = await advance(authority, now(), make)
      if (!advanced) return authority
      await write(client, ref, advanced, secret)
      return advanced
    } catch (error) {
      if (tries > 5 || !(alreadyExists(error) || conflict(error))) throw error
    }
  }
}

/** What is put where nothing is. */
const first = async (
  known: Authority | undefined,
  now: number,
  make: () => Promise<KeyPair>,
): Promise<Authority> => {
  const fresh = await make()
  if (known && isValid(known.signer.cert, now)) return stage(known, fresh)
  return { signer: fresh, trusted: union([fresh.cert], known?.trusted ?? []) }
}

const create = async (
  client: AuthorityOptions['client'],
  ref: Required<Ref>,
  authority: Authority,
): Promise<Authority> => {
  await client.create(Secret, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace: String(ref.namespace), name: ref.name, labels: { [labels.managedBy]: manager } },
    type: 'kubernetes.io/tls',
    data: Object.fromEntries(
      Object.entries(dataOf(authority)).flatMap(([key, text]) => (text === null ? [] : [[key, text]])),
    ),
  })
  return authority
}

const write = (client: AuthorityOptions['client'], ref: Ref, authority: Authority, before: Secret) => {
  const { resourceVersion } = before.metadata
  return client.patch(Secret, ref, { metadata: { resourceVersion }, data: dataOf(authority) }, 'merge')
}

const dataOf = ({ signer, next, trusted }: Authority) => ({
  'tls.crt': encoded(signer.cert),
  'tls.key': encoded(signer.key),
  'ca.crt': encoded(bundleOf(trusted)),
  'next.crt': next ? encoded(next.cert) : null,
  'next.key': next ? encoded(next.key) : null,
})

const encoded = (text: string) => Buffer.from(text).toString('base64')

/** PEM certificates as one text. */
export const bundleOf = (trusted: readonly string[]) => trusted.map((cert) => `${cert.trim()}\n`).join('')

const parse = (secret: Secret): Authority => {
  const text = (key: string) => Buffer.from(secret.data?.[key] ?? '', 'base64').toString()
  const signer = { cert: text('tls.crt'), key: text('tls.key') }
  const next = { cert: text('next.crt'), key: text('next.key') }
  const trusted = text('ca.crt').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  try {
    const complete = union(trusted.map(normalised), [normalised(signer.cert)])
    if (belongTogether(signer) && (next.cert === '' || belongTogether(next)))
      return { signer, trusted: complete, ...(next.cert === '' ? {} : { next }) }
  } catch (cause) {
    throw new Error(damaged(secret), { cause })
  }
  throw new Error(damaged(secret))
}

/** Certificate and key of one pair. Throws where one of them is no such thing. */
export const belongTogether = ({ cert, key }: KeyPair): boolean =>
  new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))

const damaged = ({ metadata }: Secret) =>
  `Secret ${metadata.namespace}/${metadata.name} does not hold a certificate authority: delete it, and the operator makes a new one`
