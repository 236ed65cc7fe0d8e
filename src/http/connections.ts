import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Server, Socket } from 'node:net'
import { createShares, type Share } from './shares.ts'

/** An API server keeps 25 idle connections, and has one more for each review under way. A connection takes some 50 KB. */
const most = { inAll: 1000, ofOneAddress: 400 }

/** What the TLS socket of a request and the socket below it have in common. */
const peer = ({ remoteAddress, remotePort }: Socket) => `${remoteAddress} ${remotePort}`

/**
 * Limits connections. Anybody who reaches the port can open some, and leave them open or send a byte now and then; so they
 * cannot fill the memory, and keep nobody else out: whoever comes gets the place of one that waits for nothing, or that has
 * not come to the end of its request.
 */
export const limitConnections = (server: Server, limits = most): void => {
  const take = createShares(limits)
  const open = new Map<string, { share: Share; request?: IncomingMessage }>()
  server.on('connection', (socket: Socket) => {
    const key = peer(socket)
    const share = take({
      from: socket.remoteAddress ?? '',
      amount: 1,
      // The answer to a request that has been read is under way.
      idle: () => open.get(key)?.request?.complete !== true,
      end: () => socket.destroy(),
    })
    if (!share) {
      socket.destroy()
      return
    }
    open.set(key, { share })
    socket.once('close', () => {
      open.delete(key)
      share.release()
    })
  })
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const connection = open.get(peer(request.socket))
    if (!connection) return
    connection.request = request
    response.once('close', () => {
      if (connection.request === request) delete connection.request
      connection.share.used()
    })
  })
}
