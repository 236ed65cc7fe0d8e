import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generate } from 'selfsigned'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createClient } from '../../src/kube/client.ts'
import { type Connection, connect } from '../../src/kube/config.ts'
import { Namespace } from '../../src/kube/kinds.ts'
import { FakeClock } from './fakeClock.ts'

let directory: string
let server: Server
let url: string
let ca: string
let seen: { authorization: string | undefined; url: string | undefined; connection: unknown }[]
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'kube-config-'))
  const extensions = [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }]
  const made = await generate([{ name: 'commonName', value: 'fake' }], { extensions } as never)
  ca = Buffer.from(made.cert).toString('base64')
  server = createServer({ key: made.private, cert: made.cert }, (request, response) => {
    seen.push({ authorization: request.headers.authorization, url: request.url, connection: request.socket })
    response.end(JSON.stringify({ metadata: { name: 'shop' } }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(async () => {
  rmSync(directory, { recursive: true })
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})
beforeEach(() => {
  seen = []
})

const kubeconfig = (user: object, cluster: object = {}) => {
  const file = join(directory, 'config')
  const config = {
    clusters: [{ name: 'c', cluster: { server: url, 'certificate-authority-data': ca, ...cluster } }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: 'shop' } }],
    'current-context': 'x',
  }
  writeFileSync(file, JSON.stringify(config))
  return file
}
const ask = async (connection: Connection) => {
  try {
    return await createClient(connection).get(Namespace, { name: 'shop' })
  } finally {
    await connection.close()
  }
}

describe('a connection', () => {
  it("trusts the cluster's CA and brings the token", async () => {
    const connection = await connect({ kubeconfig: kubeconfig({ token: 'abc' }) })
    expect((await ask(connection))?.metadata.name).toBe('shop')
    expect(seen[0]).toMatchObject({ authorization: 'Bearer abc', url: '/api/v1/namespaces/shop' })
  })

  it('does not speak to a server that another CA has signed', async () => {
    const other = await generate([{ name: 'commonName', value: 'other' }])
    const file = kubeconfig(
      { token: 'abc' },
      { 'certificate-authority-data': Buffer.from(other.cert).toString('base64') },
    )
    await expect(ask(await connect({ kubeconfig: file }))).rejects.toMatchObject({ reason: 'Unreachable' })
    expect(seen).toEqual([])
  })

  it('knows a name and a password, and a server under a path', async () => {
    const file = kubeconfig({ username: 'ali', password: 'x' }, { server: `${url}/clusters/one/` })
    await ask(await connect({ kubeconfig: file }))
    const authorization = `Basic ${Buffer.from('ali:x').toString('base64')}`
    expect(seen[0]).toMatchObject({ authorization, url: '/clusters/one/api/v1/namespaces/shop' })
  })

  it('does not open a connection for each request', async () => {
    const connection = await connect({ kubeconfig: kubeconfig({ token: 'abc' }) })
    const client = createClient(connection)
    for (let n = 0; n < 20; n++) await client.get(Namespace, { name: 'shop' })
    expect(new Set(seen.map((one) => one.connection)).size).toBeLessThanOrEqual(2)
    await connection.close()
  })

  it('looks at the token again', async () => {
    const clock = new FakeClock()
    const script = join(directory, 'token')
    const apiVersion = 'client.authentication.k8s.io/v1'
    const expirationTimestamp = '2020-01-01T00:00:00Z'
    const credential = (token: string) =>
      JSON.stringify({ apiVersion, kind: 'ExecCredential', status: { token, expirationTimestamp } })
    writeFileSync(script, credential('first'))
    const exec = { apiVersion, command: 'cat', args: [script] }
    const connection = await connect({ kubeconfig: kubeconfig({ exec }), clock })
    expect(await connection.headers()).toEqual({ authorization: 'Bearer first' })
    writeFileSync(script, credential('second'))
    expect(await connection.headers()).toEqual({ authorization: 'Bearer first' })
    clock.jump(10_000)
    expect(await connection.headers()).toEqual({ authorization: 'Bearer second' })
    await connection.close()
  })

  it('says what to do about a proxy', async () => {
    const file = kubeconfig({ token: 'abc' }, { 'proxy-url': 'http://proxy:3128' })
    await expect(connect({ kubeconfig: file })).rejects.toThrow('remove it')
  })
})
