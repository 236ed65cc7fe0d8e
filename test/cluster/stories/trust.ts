/** The operator's certificates as others see them: the CA's Secret, what is trusted, and what each replica serves. */
import { X509Certificate } from 'node:crypto'
import type { Cluster } from '../access.ts'
import { release } from '../install.ts'
import { bothReady } from './replicas.ts'

const kinds = ['mutating', 'validating'] as const
const secret = `${release}-ca`

const decoded = (base64: string) => Buffer.from(base64, 'base64').toString()
const encoded = (text: string) => Buffer.from(text).toString('base64')

/** The CA's Secret as texts; undefined if there is none. */
export const readSecret = async (cluster: Cluster): Promise<Record<string, string> | undefined> => {
  const args = ['-n', release, 'get', 'secret', secret, '--ignore-not-found', '-o', 'json']
  const text = await cluster.kubectl(...args)
  if (text === '') return undefined
  const { data } = JSON.parse(text) as { data: Record<string, string> }
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, decoded(value)]))
}

/** Changes keys of that Secret, which must exist; null removes one. */
export const writeSecret = async (cluster: Cluster, texts: Record<string, string | null>): Promise<void> => {
  const data = Object.fromEntries(
    Object.entries(texts).map(([key, text]) => [key, text === null ? null : encoded(text)]),
  )
  const args = ['-n', release, 'patch', 'secret', secret, '--type=merge', '-p', JSON.stringify({ data })]
  await cluster.kubectl(...args)
}

const readBundle = async (cluster: Cluster, kind: string) => {
  const path = 'jsonpath={.webhooks[0].clientConfig.caBundle}'
  return decoded(await cluster.kubectl('get', `${kind}webhookconfiguration`, release, '-o', path))
}

const writeBundle = async (cluster: Cluster, kind: string, text: string | undefined) => {
  const path = '/webhooks/0/clientConfig/caBundle'
  const operation = text === undefined ? { op: 'remove', path } : { op: 'add', path, value: encoded(text) }
  const args = [`${kind}webhookconfiguration`, release, '--type=json', '-p', JSON.stringify([operation])]
  await cluster.kubectl('patch', ...args)
}

/** What API servers are told to trust, for each of the two webhooks, in PEM. */
export const readBundles = (cluster: Cluster): Promise<string[]> =>
  Promise.all(kinds.map((kind) => readBundle(cluster, kind)))

/** Puts another text there, for both; undefined removes it. */
export const writeBundles = async (cluster: Cluster, text: string | undefined): Promise<void> => {
  for (const kind of kinds) await writeBundle(cluster, kind, text)
}

/**
 * Adds an empty line to one bundle. To the API server it is as good as before, but it opens new connections; the operator
 * looks at its Secret at once, and puts it right.
 */
export const nudge = async (cluster: Cluster): Promise<void> => {
  const [kind] = kinds
  await writeBundle(cluster, kind, `${await readBundle(cluster, kind)}\n`)
}

const shake = `
const socket = require('node:tls').connect({ host: process.argv[1], port: 8443, rejectUnauthorized: false })
socket.on('secureConnect', () => {
  process.stdout.write(socket.getPeerX509Certificate().toString())
  socket.destroy()
})`

/** The certificate that a replica at this address serves to a new connection. */
export const servedLeaf = async (cluster: Cluster, ip: string): Promise<X509Certificate> => {
  const { stdout } = await cluster.run(process.execPath, ['-e', shake, ip])
  return new X509Certificate(stdout)
}

/** The same of both replicas. */
export const servedLeaves = async (cluster: Cluster): Promise<X509Certificate[]> =>
  Promise.all((await bothReady(cluster)).map(({ ip }) => servedLeaf(cluster, ip)))

const pem = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** Fingerprints of the certificates in a text, sorted. */
export const fingerprints = (text: string): string[] =>
  (text.match(pem) ?? []).map((one) => new X509Certificate(one).fingerprint256).sort()

/** Whether `leaf` is from the CA with this certificate. */
export const isFrom = (leaf: X509Certificate, authority: string): boolean =>
  leaf.verify(new X509Certificate(authority).publicKey)
