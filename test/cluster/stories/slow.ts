/** Connections to replicas that stay open and send a byte now and then, from the node, where API server and kubelet are too. */
import { once } from 'node:events'
import type { Cluster } from '../access.ts'
import { release } from '../install.ts'
import { webhookAuthority } from './https.ts'
import type { Replica } from './replicas.ts'

/** Says so when every connection was made or refused. Half of them stay in a header, half in a body. */
const client = `
const tls = require('node:tls')
const { hosts, count, ...options } = JSON.parse(process.argv[1])
const begin = 'POST /mutate HTTP/1.1\\r\\nhost: x\\r\\ncontent-type: application/json\\r\\n'
const made = hosts.flatMap((host) => Array.from({ length: count }, (_, i) => new Promise((resolve) => {
  const socket = tls.connect({ ...options, host, port: 8443 }, () => {
    socket.write(begin + (i % 2 ? 'x-slow: ' : 'content-length: 60000\\r\\n\\r\\n'))
    setInterval(() => socket.writable && socket.write('{'), 1000)
    resolve()
  })
  socket.on('error', resolve)
})))
Promise.all(made).then(() => console.log('made'))`

/** Opens `count` to each replica; the answer ends them. */
export const openSlowly = async (
  cluster: Cluster,
  replicas: readonly Replica[],
  count: number,
): Promise<() => void> => {
  const hosts = replicas.map(({ ip }) => ip)
  const options = {
    hosts,
    count,
    servername: `${release}.${release}.svc`,
    ca: await webhookAuthority(cluster),
  }
  const child = cluster.spawn(process.execPath, ['-e', client, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit').then(() => Promise.reject(new Error('the slow client ended by itself')))
  if (child.stdout) await Promise.race([once(child.stdout, 'data'), ended])
  ended.catch(() => {})
  return () => child.kill()
}
