import { parentPort } from 'node:worker_threads'
import { type AuthPlugin, type Credential, createCredential, verifyCredential } from './credential.ts'

/** What the hasher sends; the password's memory is handed over and zeroed here. */
export type HashRequest =
  | { readonly task: 'hash'; readonly password: Uint8Array<ArrayBuffer>; readonly plugin: AuthPlugin }
  | { readonly task: 'verify'; readonly password: Uint8Array<ArrayBuffer>; readonly credential: Credential }

/** What comes back, one reply a request, in order. A problem never quotes a password or a hash. */
export type HashReply = { readonly result: Credential | boolean } | { readonly problem: string }

parentPort?.on('message', (request: HashRequest) => {
  parentPort?.postMessage(replyTo(request))
})

function replyTo(request: HashRequest): HashReply {
  const password = Buffer.from(request.password.buffer)
  try {
    if (request.task === 'verify') return { result: verifyCredential(password, request.credential) }
    return { result: createCredential(password, request.plugin) }
  } catch (error) {
    return { problem: error instanceof Error ? error.message : 'hashing failed' }
  } finally {
    password.fill(0)
  }
}
