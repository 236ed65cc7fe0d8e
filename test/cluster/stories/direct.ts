/** Bodies as they are, sent to a replica's own address from the node, which is where the API server is too. */
import type { Cluster } from '../access.ts'
import type { KeyPair } from '../certificates.ts'
import { release } from '../install.ts'
import { webhookAuthority } from './https.ts'
import type { Replica } from './replicas.ts'

export interface Sent {
  path: string
  /** Without one it is a GET. */
  body?: string | Buffer
  type?: string
}

/** Answers in the order of what was sent; code 0 where the connection broke. */
export type Post = (sent: readonly Sent[], client?: KeyPair) => Promise<{ code: number; text: string }[]>

/** Bodies and keys come by standard input, never in arguments. */
const client = `
const https = require('node:https')
const { text } = require('node:stream/consumers')
text(process.stdin).then(async (input) => {
  const { sent, ...options } = JSON.parse(input)
  const ask = ({ path, body, type }) => new Promise((resolve) => {
    const method = body === undefined ? 'GET' : 'POST'
    const request = https.request({ ...options, method, path, headers: { 'content-type': type } }, async (response) => {
      resolve({ code: response.statusCode, text: await text(response) })
    })
    request.on('error', (error) => resolve({ code: 0, text: String(error) }))
    request.end(body === undefined ? undefined : Buffer.from(body, 'base64'))
  })
  const answers = []
  for (const one of sent) answers.push(await ask(one))
  process.stdout.write(JSON.stringify(answers))
})`

/** The way to one replica. */
export const direct = async (cluster: Cluster, { ip }: Replica): Promise<Post> => {
  const ca = await webhookAuthority(cluster)
  return async (sent, pair) => {
    const encoded = sent.map(({ body, type = 'application/json', ...rest }) => ({
      ...rest,
      type,
      ...(body === undefined ? {} : { body: Buffer.from(body).toString('base64') }),
    }))
    const servername = `${release}.${release}.svc`
    const input = JSON.stringify({ host: ip, port: 8443, servername, ca, ...pair, sent: encoded })
    const { stdout } = await cluster.run(process.execPath, ['-e', client], { input })
    return JSON.parse(stdout)
  }
}
