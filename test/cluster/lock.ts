import { createServer, type Server } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from './progress.ts'

/**
 * Runs the action while no other process on this machine runs one under the same name. The lock is an
 * abstract socket: the kernel gives it back when its holder dies, however it dies.
 */
export async function withLock<T>(name: string, log: Log, action: () => Promise<T>): Promise<T> {
  let server = await tryLock(name)
  if (server === undefined) log(`waiting for another process to finish with ${name}`)
  while (server === undefined) {
    await sleep(250)
    server = await tryLock(name)
  }
  try {
    return await action()
  } finally {
    server.close()
  }
}

function tryLock(name: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    )
    server.listen(`\0mysql-operator-test/${name}`, () => resolve(server))
  })
}
