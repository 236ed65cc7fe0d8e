import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createServer, get } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { makeCertificates, writeCertificates } from '../../certs/make.ts'

const undo: (() => void)[] = []
afterEach(() => {
  for (const step of undo.splice(0)) step()
})

/** What a client that trusts only `ca` gets from a server with this certificate, asked for as `servername`. */
const ask = async ({ ca, cert, key }: { ca: string; cert: string; key: string }, servername: string) => {
  const server = createServer({ cert, key }, (_, response) => response.end('hello'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  undo.push(() => server.close())
  const { port } = server.address() as AddressInfo
  return new Promise<string>((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, ca, servername, agent: false }, (response) => {
      response.setEncoding('utf8').on('data', resolve)
    })
    request.on('error', reject)
  })
}

describe('certificates for a laptop', () => {
  test('are trusted by who knows the authority, under each of the names', async () => {
    const certificates = await makeCertificates(['localhost', 'operator.test'])
    await expect(ask(certificates, 'operator.test')).resolves.toBe('hello')
  })

  test('are refused under a name that was not given', async () => {
    const certificates = await makeCertificates(['localhost'])
    await expect(ask(certificates, 'other.test')).rejects.toThrow(/altnames/)
  })

  test('are refused by who knows another authority', async () => {
    const [mine, other] = await Promise.all([
      makeCertificates(['localhost']),
      makeCertificates(['localhost']),
    ])
    await expect(ask({ ...mine, ca: other.ca }, 'localhost')).rejects.toThrow(/signature|unable to verify/)
  })

  test('name IP addresses as such, since clients do not look for them among host names', async () => {
    const { cert } = await makeCertificates(['127.0.0.1', '::1', 'localhost'])
    const parsed = new X509Certificate(cert)
    expect(parsed.checkIP('127.0.0.1')).toBe('127.0.0.1')
    expect(parsed.checkHost('localhost')).toBe('localhost')
  })

  test('are made with SHA-256 and an EC key, and end after the days that were asked for', async () => {
    const now = new Date('2030-01-01T00:00:00Z')
    const { ca, cert } = await makeCertificates(['localhost'], { days: 2, now })
    for (const pem of [ca, cert]) {
      const parsed = new X509Certificate(pem)
      expect(parsed.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1')
      // 1.2.840.10045.4.3.2 in DER: ecdsa-with-SHA256.
      expect(parsed.raw.toString('hex')).toContain('06082a8648ce3d040302')
      expect(new Date(parsed.validTo)).toEqual(new Date('2030-01-03T00:00:00Z'))
    }
    expect([new X509Certificate(ca).ca, new X509Certificate(cert).ca]).toEqual([true, false])
  })

  test('need at least one name', async () => {
    await expect(makeCertificates([])).rejects.toThrow('give the host that clients connect to')
  })

  test('are written under the names that CERTIFICATE_FOLDER expects, the key readable by its owner alone', () => {
    const folder = mkdtempSync(join(tmpdir(), 'mysql-operator-certs-'))
    undo.push(() => rmSync(folder, { recursive: true }))
    writeCertificates(join(folder, 'new'), { ca: 'CA', cert: 'CERT', key: 'KEY' })
    const read = (name: string) => readFileSync(join(folder, 'new', name), 'utf8')
    expect(['ca.crt', 'tls.crt', 'tls.key'].map(read)).toEqual(['CA\n', 'CERT\n', 'KEY\n'])
    expect(statSync(join(folder, 'new/tls.key')).mode & 0o777).toBe(0o600)
  })
})
