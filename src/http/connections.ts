import type { Server, Socket } from 'node:net'

/** An API server keeps 25 idle connections, and has one more for each review under way. A connection takes some 50 KB. */
const most = { inAll: 1000, ofOneAddress: 400 }

/**
 * Ends connections that are too many before anything is spent on them. Anybody who reaches the port can open some and leave
 * them open; so they cannot fill the memory, and who does it from one address keeps nobody else out.
 */
export const limitConnections = (server: Server, { inAll, ofOneAddress } = most): void => {
  const open = new Map<string, number>()
  let all = 0
  server.on('connection', (socket: Socket) => {
    const from = socket.remoteAddress ?? ''
    const before = open.get(from) ?? 0
    if (all >= inAll || before >= ofOneAddress) {
      socket.destroy()
      return
    }
    all++
    open.set(from, before + 1)
    socket.once('close', () => {
      all--
      const left = (open.get(from) ?? 1) - 1
      if (left === 0) open.delete(from)
      else open.set(from, left)
    })
  })
}
