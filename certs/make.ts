/**
 * Certificates for the operator on a laptop: `node certs/make.ts FOLDER [NAME…]` writes ca.crt, tls.crt and tls.key
 * into FOLDER, which CERTIFICATE_FOLDER then names. In a cluster the operator makes its own, or cert-manager does.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { generate } from 'selfsigned'

/** The library's own default is SHA-1, which API servers refuse. EC keys make handshakes cheap. */
const keys = { keyType: 'ec', curve: 'P-256', algorithm: 'sha256' } as const

const day = 24 * 60 * 60 * 1000

/** PEM texts of an authority and of a server certificate that it signed. The authority's key is forgotten. */
export interface Certificates {
  ca: string
  cert: string
  key: string
}

/** A new authority and a certificate for `names`, host names or IP addresses, valid for `days` from `now` on. */
export const makeCertificates = async (
  names: readonly string[],
  { days = 30, now = new Date() } = {},
): Promise<Certificates> => {
  const [first] = names
  if (first === undefined)
    throw new Error('A certificate needs a name: give the host that clients connect to')
  const validity = { notBeforeDate: now, notAfterDate: new Date(now.getTime() + days * day) }
  const authority = await generate([{ name: 'commonName', value: 'mysql-operator on a laptop' }], {
    ...keys,
    ...validity,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  })
  const leaf = await generate([{ name: 'commonName', value: first }], {
    ...keys,
    ...validity,
    ca: { key: authority.private, cert: authority.cert },
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      { name: 'subjectAltName', altNames: names.map(altName) },
    ],
  })
  return { ca: authority.cert, cert: leaf.cert, key: leaf.private }
}

const altName = (name: string) =>
  isIP(name) ? ({ type: 7, ip: name } as const) : ({ type: 2, value: name } as const)

/** Writes the three files as cert-manager and the operator name them; the key is for the owner's eyes only. */
export const writeCertificates = (folder: string, { ca, cert, key }: Certificates) => {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  // The library ends no text with a newline; files that are put together, as bundles are, need one.
  writeFileSync(join(folder, 'ca.crt'), `${ca}\n`)
  writeFileSync(join(folder, 'tls.crt'), `${cert}\n`)
  writeFileSync(join(folder, 'tls.key'), `${key}\n`, { mode: 0o600 })
}

const main = async ([folder, ...names]: string[]) => {
  if (folder === undefined || folder.startsWith('-')) {
    process.stderr.write(
      'Usage: node certs/make.ts FOLDER [NAME…]   (names default to localhost and 127.0.0.1)\n',
    )
    process.exitCode = 2
    return
  }
  const all = names.length > 0 ? names : ['localhost', '127.0.0.1']
  const certificates = await makeCertificates(all)
  writeCertificates(folder, certificates)
  process.stderr.write(`Wrote ca.crt, tls.crt and tls.key for ${all.join(', ')} into ${folder}\n`)
  // On stdout alone, so that it can be put into a webhook configuration as it is.
  process.stdout.write(`${Buffer.from(certificates.ca).toString('base64')}\n`)
}

if (import.meta.main) await main(process.argv.slice(2))
