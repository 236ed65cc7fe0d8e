/** Reviews from the API servers only: by certificate and by address, over real connections. */
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import { pino } from 'pino'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { allowed } from '../../src/admission/review.ts'
import { admissionRoutes, type ReviewSeen } from '../../src/admission/routes.ts'
import { healthRoutes } from '../../src/http/health.ts'
import { createRefusal, type ReviewerOptions } from '../../src/http/reviewers.ts'
import { createServer, type Server } from '../../src/http/server.ts'
import { applied, oldManifest, review } from '../admission/fixtures.ts'
import { createAuthority, issue, type KeyPair } from '../cluster/certificates.ts'

const name = 'apiserver-webhooks'
let authority: KeyPair
let serving: KeyPair
const clients: Record<string, KeyPair> = {}
beforeAll(async () => {
  authority = await createAuthority()
  serving = await issue(authority, { commonName: 'localhost' })
  clients.apiServer = await issue(authority, { commonName: name })
  clients.kubelet = await issue(authority, { commonName: 'system:node:one', organization: 'system:nodes' })
  clients.stranger = await issue(await createAuthority(), { commonName: name })
})

let server: Server | undefined
const seen: ReviewSeen[] = []
afterEach(async () => {
  await server?.close()
  server = undefined
  seen.length = 0
})

const options = (changes: Partial<ReviewerOptions>): ReviewerOptions => ({
  clientCA: '',
  clientNames: [],
  apiServerCIDRs: [],
  ...changes,
})

const start = async (changes: Partial<ReviewerOptions>): Promise<number> => {
  const given = options(changes)
  const handler = async () => allowed()
  const admission = admissionRoutes({
    mutate: handler,
    validate: handler,
    refusal: createRefusal(given),
    onFailure: () => {},
    onReview: (one) => seen.push(one),
  })
  const routes = [admission, healthRoutes({ live: {}, ready: {} })]
  server = await createServer(serving, routes, pino({ enabled: false }), given.clientCA)
  await server.listen(0)
  return (server.app.server.address() as AddressInfo).port
}

const open = async (port: number, more: object = {}): Promise<TLSSocket> => {
  const socket = connect({ host: '127.0.0.1', servername: 'localhost', port, ca: authority.cert, ...more })
  socket.on('error', () => {})
  await once(socket, 'secureConnect')
  return socket
}

/** The answer to one request, as text. */
const ask = async (socket: TLSSocket, path: string): Promise<string> => {
  const body = JSON.stringify(review(applied(oldManifest())))
  const head = `host: localhost\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}`
  socket.write(
    path === '/livez'
      ? `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`
      : `POST ${path} HTTP/1.1\r\n${head}\r\n\r\n${body}`,
  )
  return String((await once(socket, 'data'))[0])
}

const answers = async (port: number, client?: KeyPair): Promise<string[]> => {
  const texts: string[] = []
  for (const path of ['/mutate', '/validate', '/livez']) {
    const socket = await open(port, client)
    texts.push(await ask(socket, path))
    socket.destroy()
  }
  return texts
}

const ok = expect.stringMatching(/^HTTP\/1\.1 200 /)
const refused = (words: string) => expect.stringMatching(new RegExp(`^HTTP/1\\.1 403 [^]*${words}`))

describe('where the CA of the API servers’ certificates is given, a review is taken', () => {
  test('with a certificate of that CA, and health is for everybody', async () => {
    const port = await start({ clientCA: authority.cert })
    expect(await answers(port, clients.apiServer)).toEqual([ok, ok, ok])
    const words = refused('a client certificate only that webhook.clientCA')
    expect(await answers(port)).toEqual([words, words, ok])
    expect(await answers(port, clients.stranger)).toEqual([words, words, ok])
    expect(seen.filter(({ result }) => result === 'error')).toHaveLength(4)
  })

  test('with one of the names, if names are given', async () => {
    const port = await start({ clientCA: authority.cert, clientNames: [name] })
    expect(await answers(port, clients.apiServer)).toEqual([ok, ok, ok])
    const words = refused('webhook.clientNames')
    expect(await answers(port, clients.kubelet)).toEqual([words, words, ok])
  })

  test('not in a resumed session that began without a certificate', async () => {
    const port = await start({ clientCA: authority.cert })
    const first = await open(port, { maxVersion: 'TLSv1.3' })
    const ticket = once(first, 'session')
    expect(await ask(first, '/livez')).toEqual(ok)
    const [session] = await ticket
    first.destroy()
    const second = await open(port, { session })
    expect(second.isSessionReused()).toBe(true)
    expect(await ask(second, '/mutate')).toEqual(refused('client certificate only'))
    second.destroy()
  })

  test('just the same after the serving certificate was swapped', async () => {
    const port = await start({ clientCA: authority.cert })
    server?.swap(await issue(authority, { commonName: 'localhost' }))
    expect(await answers(port, clients.apiServer)).toEqual([ok, ok, ok])
    const words = refused('client certificate only')
    expect(await answers(port)).toEqual([words, words, ok])
  })
})

describe('where the addresses of the API servers are given, a review is taken', () => {
  test.each([
    ['127.0.0.0/8', ok],
    ['10.0.0.0/8', refused('are not taken, only from networkPolicy.apiServerCIDRs')],
  ])('from %s only, and health is for everybody', async (cidr, expected) => {
    const port = await start({ apiServerCIDRs: ['192.168.0.0/28', cidr] })
    expect(await answers(port)).toEqual([expected, expected, ok])
  })

  test('of both families', () => {
    const refusal = createRefusal(options({ apiServerCIDRs: ['10.0.0.0/28', 'fd00::/64'] }))
    const from = (remoteAddress: string) => refusal({ remoteAddress } as Socket) === undefined
    const inside = ['10.0.0.15', '::ffff:10.0.0.15', 'fd00::1']
    expect(inside.map(from)).toEqual([true, true, true])
    expect(['10.0.0.16', '::ffff:10.0.0.16', 'fd00:0:0:1::1', '::1', ''].map(from)).not.toContain(true)
  })

  test('and from nobody without the certificate, if the CA is given as well', async () => {
    const port = await start({ clientCA: authority.cert, apiServerCIDRs: ['127.0.0.1/32'] })
    const words = refused('client certificate only')
    expect(await answers(port)).toEqual([words, words, ok])
    expect(await answers(port, clients.apiServer)).toEqual([ok, ok, ok])
  })
})

test.each<[Partial<ReviewerOptions>, string]>([
  [{ clientCA: 'none' }, 'webhook.clientCA holds no certificate'],
  [{ clientCA: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' }, 'cannot be read'],
  [{ apiServerCIDRs: ['10.0.0.0'] }, 'networkPolicy.apiServerCIDRs: 10.0.0.0'],
  [{ apiServerCIDRs: ['10.0.0.0/33'] }, 'networkPolicy.apiServerCIDRs: 10.0.0.0/33'],
  [{ apiServerCIDRs: ['node-1/8'] }, 'networkPolicy.apiServerCIDRs: node-1/8'],
])('values that say nothing end the start: %j', (changes, words) => {
  expect(() => createRefusal(options(changes))).toThrow(words)
})
