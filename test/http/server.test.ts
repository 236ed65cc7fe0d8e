import { once } from 'node:events'
import { type AddressInfo, connect as connectTcp } from 'node:net'
import { Writable } from 'node:stream'
import { connect, type TLSSocket } from 'node:tls'
import { pino } from 'pino'
import { Agent, request } from 'undici'
import { afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { type KeyPair, makeAuthority } from '../../src/admission/authority.ts'
import { issue } from '../../src/admission/certificates.ts'
import { allowed } from '../../src/admission/review.ts'
import { admissionRoutes, type ReviewSeen } from '../../src/admission/routes.ts'
import { healthRoutes } from '../../src/http/health.ts'
import { createServer, type Server } from '../../src/http/server.ts'
import { applied, canary, type Loose, mutator, oldManifest, review } from '../admission/fixtures.ts'

let signer: KeyPair
let leaf: KeyPair
beforeAll(async () => {
  signer = await makeAuthority(Date.now())
  leaf = await issue(signer, ['localhost'], Date.now())
})

const logged: string[] = []
const log = pino(
  { level: 'debug' },
  new Writable({
    write(chunk, _, done) {
      logged.push(String(chunk))
      done()
    },
  }),
)
const seen: ReviewSeen[] = []

let server: Server | undefined
afterEach(async () => {
  await server?.close()
  server = undefined
  logged.length = 0
  seen.length = 0
})

/** A server with the webhooks, health, and a route that answers when it is told to. */
const start = async () => {
  const slow = Promise.withResolvers<void>()
  const entered = Promise.withResolvers<void>()
  server = await createServer(
    leaf,
    [
      admissionRoutes({
        mutate: mutator(),
        validate: async () => allowed(),
        onFailure: () => {},
        onReview: (one) => seen.push(one),
      }),
      healthRoutes({
        live: {},
        ready: { caches: () => 'the first lists have not arrived', lease: () => undefined },
        notes: { lease: () => 'until tomorrow', caches: () => 'only of what is fine' },
      }),
      async (app) => {
        app.get('/slow', async () => {
          entered.resolve()
          await slow.promise
          return 'done'
        })
        app.get('/broken', async () => {
          throw new Error('secret words')
        })
      },
    ],
    log,
  )
  const { app } = server
  const post = (url: string, payload: string, type = 'application/json') =>
    app.inject({ method: 'POST', url, payload, headers: { 'content-type': type } })
  return { server, app, post, slow, entered }
}

const listening = async () => {
  const started = await start()
  await started.server.listen(0)
  const { port } = started.app.server.address() as AddressInfo
  return { ...started, port }
}

describe('the server', () => {
  test('answers a review over /mutate with a patch, and counts it', async () => {
    const { post } = await start()
    const body = review(applied(oldManifest()))
    const answer = await post('/mutate', JSON.stringify(body))
    expect(answer.statusCode).toBe(200)
    expect(answer.json().response).toMatchObject({
      uid: body.request.uid,
      allowed: true,
      patchType: 'JSONPatch',
    })
    expect(seen).toEqual([
      { handler: 'mutate', operation: 'CREATE', result: 'patched', seconds: expect.any(Number) },
    ])
  })

  test('answers what is no review with 400', async () => {
    const { post } = await start()
    expect((await post('/validate', '{}')).statusCode).toBe(400)
  })

  test('takes a review of seven megabytes, and none of eight', async () => {
    const { post } = await start()
    const sized = (bytes: number) => {
      const body = review(applied(oldManifest()))
      body.request.padding = ''
      body.request.padding = 'x'.repeat(bytes - JSON.stringify(body).length)
      return JSON.stringify(body)
    }
    expect((await post('/mutate', sized(7 * 1024 * 1024))).statusCode).toBe(200)
    expect((await post('/mutate', sized(8 * 1024 * 1024))).statusCode).toBe(413)
  })

  test.each(['text/plain', 'application/yaml', 'application/x-www-form-urlencoded', 'text/json'])(
    'takes JSON and not %s',
    async (type) => {
      const { post } = await start()
      expect((await post('/mutate', JSON.stringify(review(applied(oldManifest()))), type)).statusCode).toBe(
        415,
      )
    },
  )

  test.each(['"__proto__":{"a":1}', '"spec":{"__proto__":null}', '"constructor":{"prototype":{"a":1}}'])(
    'refuses a review with %s in it',
    async (poison) => {
      const { post } = await start()
      const good = JSON.stringify(review(applied(oldManifest())))
      expect((await post('/mutate', good)).statusCode).toBe(200)
      expect((await post('/mutate', `{${poison},${good.slice(1)}`)).statusCode).toBe(400)
      expect(({} as Loose).a).toBeUndefined()
    },
  )

  test('neither logs nor echoes a body, whatever is wrong with it', async () => {
    const { post } = await start()
    const password = canary()
    const good = JSON.stringify(review(applied(oldManifest({ password }))))
    const answers = [
      await post('/mutate', good),
      await post('/mutate', good.slice(0, -5)),
      await post('/mutate', password),
      await post('/mutate', `{"request":{"uid":"${password}`),
      await post('/nowhere', good),
      await post('/mutate', good, 'text/plain'),
    ]
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 400, 400, 400, 404, 415])
    for (const { body } of answers) expect(body).not.toContain(password)
    expect(logged.join()).not.toContain(password)
  })

  test('says nothing of an error of its own, but logs that there was one', async () => {
    const { app } = await start()
    const answer = await app.inject('/broken')
    expect([answer.statusCode, answer.body]).toEqual([500, 'internal error: see the log of the operator\n'])
    expect(logged.join()).toContain('a request failed')
    expect(logged.join()).not.toContain('secret words')
  })
})

describe('health', () => {
  test('is "ok" in plain text, or the checks that fail', async () => {
    const { app } = await start()
    const live = await app.inject('/livez')
    expect([live.statusCode, live.body]).toEqual([200, 'ok\n'])
    expect(live.headers['content-type']).toMatch(/^text\/plain/)
    const ready = await app.inject('/readyz')
    expect(ready.statusCode).toBe(503)
    expect(ready.body).toContain('[-]caches the first lists have not arrived')
    expect((await app.inject('/healthz')).statusCode).toBe(503)
  })

  test('lists every check when asked for more', async () => {
    const { app } = await start()
    expect((await app.inject('/readyz?verbose')).body).toContain('[+]lease ok: until tomorrow\n')
    expect((await app.inject('/readyz?verbose')).body).not.toContain('only of what is fine')
  })
})

describe('over TLS', () => {
  const handshake = async (port: number, options: object = {}) => {
    const socket = connect({ host: 'localhost', port, ca: signer.cert, servername: 'localhost', ...options })
    await once(socket, 'secureConnect')
    return socket
  }
  const serialOf = (socket: TLSSocket) => socket.getPeerCertificate().serialNumber

  test('a client that trusts the CA is served, with TLS 1.2 or later', async () => {
    const { port } = await listening()
    const socket = await handshake(port)
    expect([socket.authorized, socket.getProtocol()]).toEqual([true, 'TLSv1.3'])
    socket.destroy()
    const old = handshake(port, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' })
    await expect(old).rejects.toThrow()
  })

  test('a new certificate is served to new connections, while open ones go on', async () => {
    const { port, server } = await listening()
    const before = await handshake(port)
    server.swap(await issue(signer, ['localhost'], Date.now()))
    const after = await handshake(port)
    expect(serialOf(after)).not.toBe(serialOf(before))
    const old = handshake(port, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' })
    await expect(old).rejects.toThrow()
    before.write('GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n')
    expect(String((await once(before, 'data'))[0])).toContain('200 OK')
    before.destroy()
    after.destroy()
  })

  test('connections are kept for longer than Go keeps them idle', async () => {
    const { app } = await listening()
    expect(app.server.keepAliveTimeout).toBeGreaterThan(90_000)
  })

  test('large bodies wait until others are done, before they are read; small ones never do', async () => {
    const { port } = await listening()
    const dispatcher = new Agent({ connect: { ca: signer.cert }, pipelining: 1 })
    const post = async (bytes: number) => {
      const url = `https://localhost:${port}/mutate`
      const headers = { 'content-type': 'application/json' }
      const body = '{}'.padStart(bytes)
      const answer = await request(url, { method: 'POST', dispatcher, headers, body })
      return { code: answer.statusCode, retry: answer.headers['retry-after'], text: await answer.body.text() }
    }
    /** Announces a body that never comes; the server has seen it when it says to go on. */
    const announced = async (body: string) => {
      const socket = await handshake(port)
      socket.write(`POST /mutate HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\n`)
      socket.write(`content-type: application/json\r\n${body}\r\n\r\n`)
      expect(String((await once(socket, 'data'))[0])).toContain('100 Continue')
      return socket
    }
    for (const bytes of [6_000_000, 6_000_000, 6_000_000]) expect((await post(bytes)).code).toBe(400)
    const first = await announced(`content-length: ${7 * 1024 * 1024}`)
    expect((await post(100_000)).code).toBe(400)
    const second = await announced('transfer-encoding: chunked')
    expect(await post(100_000)).toEqual({ code: 503, retry: '1', text: expect.stringContaining('try again') })
    expect((await post(60_000)).code).toBe(400)
    first.destroy()
    await vi.waitFor(async () => expect((await post(100_000)).code).toBe(400))
    second.destroy()
    await dispatcher.close()
  })

  test('draining finishes what is under way, and asks everybody to come to another replica', async () => {
    const { port, server, slow, entered } = await listening()
    const dispatcher = new Agent({ connect: { ca: signer.cert }, pipelining: 1 })
    const get = (path: string) => request(`https://localhost:${port}${path}`, { dispatcher })
    expect((await get('/livez')).headers.connection).toBe('keep-alive')
    const underWay = get('/slow')
    await entered.promise
    server.drain()
    const { headers, body } = await get('/livez')
    await body.dump()
    expect(headers.connection).toBe('close')
    const closed = server.close()
    slow.resolve()
    const answer = await underWay
    expect([answer.headers.connection, await answer.body.text()]).toEqual(['close', 'done'])
    await closed
    await expect(get('/livez')).rejects.toThrow()
    await dispatcher.close()
  })

  test('is deserted when the last client has gone, and not before', async () => {
    const { port, server } = await listening()
    await server.deserted(0)
    const socket = await handshake(port)
    let deserted = false
    const over = server.deserted(0).then(() => {
      deserted = true
    })
    // Also one that drains leaves an idle connection to its client.
    server.drain()
    await expect(
      Promise.race([over, new Promise((resolve) => setTimeout(resolve, 600, 'open'))]),
    ).resolves.toBe('open')
    expect([deserted, socket.destroyed]).toEqual([false, false])
    socket.destroy()
    await over
  })

  test('is not deserted while posts come over new connections, however short each is', async () => {
    const { port, server } = await listening()
    const ask = async (method: string) => {
      const socket = await handshake(port)
      socket.write(
        `${method} / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
      )
      socket.resume()
      await once(socket, 'close')
    }
    // A probe is no reason to stay.
    await ask('GET')
    await server.deserted(10_000)
    let now = performance.now()
    const time = vi.spyOn(performance, 'now').mockImplementation(() => now)
    onTestFinished(() => time.mockRestore())
    await ask('POST')
    const over = server.deserted(10_000).then(() => 'deserted')
    await expect(
      Promise.race([over, new Promise((resolve) => setTimeout(resolve, 600, 'in use'))]),
    ).resolves.toBe('in use')
    now += 10_001
    await over
  })

  test('what never ends is broken off: an answer, and a handshake that was never begun', async () => {
    const { port, server, entered } = await listening()
    const socket = await handshake(port)
    socket.on('error', () => {})
    const over = once(socket, 'close')
    socket.write('GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n')
    await entered.promise
    const silent = connectTcp(port, 'localhost')
    await once(silent, 'connect')
    await server.close(50)
    await over
    expect(logged.join()).toContain('broken off')
    silent.destroy()
  })

  test('a request that is half sent when the server closes is answered', async () => {
    const { port, server } = await listening()
    const socket = await handshake(port)
    const lines = 'GET /livez HTTP/1.1\r\nhost: localhost\r\n'
    // In one piece: when the first is answered, the half of the second is there as well.
    socket.write(`${lines}\r\n${lines}`)
    await once(socket, 'data')
    server.drain()
    const closed = server.close()
    socket.write('\r\n')
    const [answer] = await once(socket, 'data')
    expect(String(answer)).toMatch(/^HTTP\/1\.1 200 OK/)
    expect(String(answer)).toMatch(/connection: close/i)
    await closed
    socket.destroy()
  })
})
