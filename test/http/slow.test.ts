/** Strangers who open connections and send a byte now and then, over real connections. */
import { once } from 'node:events'
import { type AddressInfo, connect as dial, type Socket } from 'node:net'
import { connect } from 'node:tls'
import { promisify } from 'node:util'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { allowed } from '../../src/admission/review.ts'
import { admissionRoutes } from '../../src/admission/routes.ts'
import { limitConnections } from '../../src/http/connections.ts'
import { healthRoutes } from '../../src/http/health.ts'
import { createServer, type Server } from '../../src/http/server.ts'
import { applied, oldManifest, review } from '../admission/fixtures.ts'
import { createAuthority, issue } from '../cluster/certificates.ts'

let server: Server
let ca: string
let port: number
let sockets: Socket[] = []
/** Reviews that have come to their handler, which answers when this resolves. */
let reviews = 0
let answer = Promise.withResolvers<void>()

beforeEach(async () => {
  const authority = await createAuthority()
  ca = authority.cert
  reviews = 0
  answer = Promise.withResolvers<void>()
  answer.resolve()
  const handler = async () => {
    reviews++
    await answer.promise
    return allowed()
  }
  const admission = admissionRoutes({ mutate: handler, validate: handler, onFailure: () => {} })
  const routes = [admission, healthRoutes({ live: {}, ready: {} })]
  server = await createServer(
    await issue(authority, { commonName: 'localhost' }),
    routes,
    pino({ enabled: false }),
  )
  await server.listen(0)
  port = (server.app.server.address() as AddressInfo).port
})
afterEach(async () => {
  for (const socket of sockets) socket.destroy()
  sockets = []
  await server.close()
})

const kept = <S extends Socket>(socket: S): S => {
  socket.on('error', () => {})
  sockets.push(socket)
  return socket
}
const plain = (localAddress: string) => kept(dial({ host: '127.0.0.1', port, localAddress }))
const secure = (localAddress: string, sends = '') => {
  const socket = connect({ host: '127.0.0.1', servername: 'localhost', port, localAddress, ca } as object)
  if (sends !== '') socket.write(sends)
  return kept(socket)
}

const head = (length: number) =>
  `POST /mutate HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`

/** The status of the answer to a review from that address; undefined if the connection ended without one. */
const reviewed = (localAddress: string, padding = 0) =>
  new Promise<number | undefined>((resolve) => {
    const body = JSON.stringify({ ...review(applied(oldManifest())), padding: ' '.repeat(padding) })
    const socket = secure(localAddress, head(Buffer.byteLength(body)) + body)
    socket.once('data', (answer) => {
      resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(String(answer))?.[1]))
      socket.destroy()
    })
    socket.once('close', () => resolve(undefined))
  })

const connections = () => promisify(server.app.server.getConnections.bind(server.app.server))()

test('connections that are opened and never used, or send half a request, keep nobody out', async () => {
  // More than there is room for, and of one address too.
  for (const address of ['127.0.0.2', '127.0.0.3', '127.0.0.4']) {
    for (let i = 0; i < 310; i++) plain(address)
    for (let i = 0; i < 15; i++) secure(address, 'POST /mutate HTTP/1.1\r\nhost: local')
    for (let i = 0; i < 15; i++) secure(address, `${head(1000)}{`)
  }
  const full = async () => (await connections()) === 1000
  while (!(await full())) await new Promise(setImmediate)
  for (const address of ['127.0.0.9', '127.0.0.2', '127.0.0.3', '127.0.0.9'])
    expect(await reviewed(address)).toBe(200)
  expect(await connections()).toBeLessThanOrEqual(1000)
})

test('of connections that wait for an answer none is ended, and one that is closed counts no more', async () => {
  const https = server.app.server
  limitConnections(https, { inAll: 3, ofOneAddress: 2 })
  answer = Promise.withResolvers<void>()
  const first = [reviewed('127.0.0.1'), reviewed('127.0.0.1')]
  while (reviews < 2) await new Promise(setImmediate)
  expect(await reviewed('127.0.0.1')).toBeUndefined()
  const third = reviewed('127.0.0.2')
  while (reviews < 3) await new Promise(setImmediate)
  expect(await reviewed('127.0.0.3')).toBeUndefined()
  answer.resolve()
  expect(await Promise.all([...first, third])).toEqual([200, 200, 200])
  expect(await reviewed('127.0.0.1')).toBe(200)
})

test('large bodies that are sent a byte at a time make way for one that is not', async () => {
  for (const address of ['127.0.0.2', '127.0.0.3']) {
    const socket = secure(address, `${head(7 * 1024 * 1024)}{`)
    await once(socket, 'secureConnect')
  }
  // As the API server does with a 503, whose Retry-After says 1.
  const codes = new Set<number | undefined>()
  while (!codes.has(200)) codes.add(await reviewed('127.0.0.9', 1e6))
  expect([...codes].filter((code) => code !== 200 && code !== 503)).toEqual([])
  expect(await reviewed('127.0.0.2', 1000)).toBe(200)
})
