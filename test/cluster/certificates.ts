import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generate, type SelfsignedOptions } from 'selfsigned'

/** A private key and its certificate, both PEM. */
export type KeyPair = { key: string; cert: string }

export type Subject = {
  /** For a client: the user's name. */
  commonName: string
  /** For a client: the user's group. */
  organization?: string
  /** DNS names that the certificate is good for. */
  names?: string[]
  /** IP addresses that the certificate is good for. */
  addresses?: string[]
}

// selfsigned's own default is SHA-1, which Go refuses.
const common: SelfsignedOptions = { algorithm: 'sha256', keyType: 'ec' }

/** Makes a certificate authority that signs for this one cluster. */
export async function createAuthority(): Promise<KeyPair> {
  const made = await generate([{ name: 'commonName', value: 'test-cluster' }], {
    ...common,
    ...lifetime(),
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, digitalSignature: true, critical: true },
    ],
  })
  return { key: made.private, cert: made.cert }
}

/** Makes a key and a certificate, for a server as well as for a client. */
export async function issue(authority: KeyPair, subject: Subject): Promise<KeyPair> {
  const attributes = [{ name: 'commonName', value: subject.commonName }]
  if (subject.organization) attributes.push({ name: 'organizationName', value: subject.organization })
  const altNames = [
    ...(subject.names ?? [subject.commonName]).map((value) => ({ type: 2 as const, value })),
    ...(subject.addresses ?? []).map((ip) => ({ type: 7 as const, ip })),
  ]
  const made = await generate(attributes, {
    ...common,
    ...lifetime(),
    ca: authority,
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true, keyEncipherment: true },
      { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
      { name: 'subjectAltName', altNames },
    ],
  })
  return { key: made.private, cert: made.cert }
}

/** Writes NAME.crt and NAME.key into a folder; only root may read the key. */
export function writeKeyPair(folder: string, name: string, pair: KeyPair): void {
  writeFileSync(join(folder, `${name}.crt`), pair.cert)
  writeFileSync(join(folder, `${name}.key`), pair.key, { mode: 0o600 })
}

/** A kubeconfig with one cluster, one user and one context, all of the same name. */
export function kubeconfig(name: string, server: string, authority: string, user: KeyPair): string {
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server, 'certificate-authority-data': base64(authority) } }],
    users: [
      { name, user: { 'client-certificate-data': base64(user.cert), 'client-key-data': base64(user.key) } },
    ],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  })
}

/** A kubeconfig as the API server's AdmissionConfiguration takes it: what is shown to each webhook, here to all. */
export function webhookCredentials({ cert, key }: KeyPair): string {
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    users: [{ name: '*', user: { 'client-certificate-data': base64(cert), 'client-key-data': base64(key) } }],
  })
}

function lifetime(): { notBeforeDate: Date; notAfterDate: Date } {
  const day = 86_400_000
  return { notBeforeDate: new Date(Date.now() - day), notAfterDate: new Date(Date.now() + 365 * day) }
}
