/** Requests to one replica of the operator, over TLS that is checked, from wherever the tests run. */
import { createInterface } from 'node:readline'
import type { Cluster } from '../access.ts'
import { release } from '../install.ts'
import type { Replica } from './replicas.ts'

export interface Request {
  method?: 'GET' | 'POST'
  path: string
  token?: string
  body?: unknown
}

export interface Answer {
  code: number
  /** Parsed if it is JSON. */
  body: unknown
}

/** Sends one request to one replica; the path may have a query. */
export type Send = (request: Request) => Promise<Answer>

/** Run in the cluster's network, where the forwarded port is. Tokens come by standard input, never in arguments. */
const client = `
const https = require('node:https')
const { text } = require('node:stream/consumers')
text(process.stdin).then((input) => {
  const { body, ...options } = JSON.parse(input)
  https.request({ host: '127.0.0.1', ...options }, async (response) => {
    process.stdout.write(JSON.stringify({ code: response.statusCode, body: await text(response) }))
  }).end(body)
})`

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** The certificate authority that the API server trusts for the webhooks, in PEM. */
export const webhookAuthority = async (cluster: Cluster): Promise<string> => {
  const path = 'jsonpath={.webhooks[0].clientConfig.caBundle}'
  const bundle = await cluster.kubectl('get', 'mutatingwebhookconfiguration', release, '-o', path)
  return Buffer.from(bundle, 'base64').toString('utf8')
}

/** Forwards a port to a replica; `close` ends that. `authority` (PEM) is trusted instead of the webhooks' one. */
export const reach = async (
  cluster: Cluster,
  replica: Pick<Replica, 'name'>,
  authority?: string,
): Promise<{ send: Send; close: () => void }> => {
  const ca = authority ?? (await webhookAuthority(cluster))
  const args = ['-n', release, 'port-forward', `pod/${replica.name}`, ':8443']
  const forward = cluster.spawn('kubectl', args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const port = await new Promise<number>((resolve, reject) => {
    forward.once('exit', (code) => reject(new Error(`kubectl port-forward ended with ${code}`)))
    if (!forward.stdout) return
    createInterface({ input: forward.stdout }).on('line', (line) => {
      const found = /127\.0\.0\.1:(\d+)/.exec(line)
      if (found) resolve(Number(found[1]))
    })
  })
  const send: Send = async ({ method = 'POST', path, token, body }) => {
    const headers = {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    }
    const servername = `${release}.${release}.svc`
    const options = { method, path, headers, ca, servername, port, body: body && JSON.stringify(body) }
    const { stdout } = await cluster.run(process.execPath, ['-e', client], { input: JSON.stringify(options) })
    const answer = JSON.parse(stdout) as { code: number; body: string }
    return { code: answer.code, body: parsed(answer.body) }
  }
  return { send, close: () => forward.kill() }
}
