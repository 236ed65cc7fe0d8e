/** One login to a MySQL server over TLS, as a client library does it: caching_sha2_password, and no more than that. */
import { createHash } from 'node:crypto'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, createSecureContext } from 'node:tls'

export interface Login {
  host: string
  user: string
  password: string
}

/** Protocol 4.1, secure connection, plugin authentication, TLS, long password. */
const capabilities = 0x200 | 0x8000 | 0x80000 | 0x800 | 0x1
const plugin = 'caching_sha2_password'

/** One for all, as a library has it: to make it, with all the world's CAs, costs more than the handshake. */
const secureContext = createSecureContext({ ca: [] })

const packet = (sequence: number, payload: Buffer): Buffer => {
  const head = Buffer.alloc(4)
  head.writeUIntLE(payload.length, 0, 3)
  head[3] = sequence
  return Buffer.concat([head, payload])
}

/** Reads packets one by one; rejects when the connection ends. */
async function* packets(socket: Socket): AsyncGenerator<{ sequence: number; payload: Buffer }> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    rest = Buffer.concat([rest, chunk as Buffer])
    while (rest.length >= 4 && rest.length >= 4 + rest.readUIntLE(0, 3)) {
      const length = rest.readUIntLE(0, 3)
      yield { sequence: rest[3] ?? 0, payload: rest.subarray(4, 4 + length) }
      rest = rest.subarray(4 + length)
    }
  }
  throw new Error('the server closed the connection')
}

const next = async (reader: ReturnType<typeof packets>) => {
  const { value } = await reader.next()
  if (!value) throw new Error('the server said nothing')
  return value
}

/** The 20 bytes with which the server wants the password mixed, from its greeting. */
const nonceOf = (greeting: Buffer): Buffer => {
  if (greeting[0] === 0xff) throw new Error(`the server refused the connection: ${greeting.subarray(3)}`)
  const first = greeting.indexOf(0, 1) + 1 + 4
  return Buffer.concat([greeting.subarray(first, first + 8), greeting.subarray(first + 27, first + 39)])
}

const sha256 = (...parts: (Buffer | string)[]) => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

const scramble = (password: string, nonce: Buffer): Buffer => {
  const mask = sha256(sha256(sha256(password)), nonce)
  return sha256(password).map((byte, index) => byte ^ (mask[index] ?? 0)) as Buffer
}

const head = () => {
  const fixed = Buffer.alloc(32)
  fixed.writeUInt32LE(capabilities, 0)
  fixed.writeUInt32LE(1 << 24, 4)
  fixed[8] = 45
  return fixed
}

const answer = ({ user, password }: Login, nonce: Buffer): Buffer => {
  const mixed = scramble(password, nonce)
  const text = (value: string) => Buffer.from(`${value}\0`)
  return Buffer.concat([head(), text(user), Buffer.from([mixed.length]), mixed, text(plugin)])
}

/** True if the server let it in, false if it denied access; rejects on anything else. */
const verdict = async (socket: Socket, reader: ReturnType<typeof packets>, password: string) => {
  for (;;) {
    const { sequence, payload } = await next(reader)
    if (payload[0] === 0) return true
    if (payload[0] === 0xff) {
      const code = payload.readUInt16LE(1)
      if (code === 1045) return false
      throw new Error(`the server said error ${code}`)
    }
    // Not in its cache: it wants the password itself, which TLS protects.
    if (payload[0] === 1 && payload[1] === 4) socket.write(packet(sequence + 1, Buffer.from(`${password}\0`)))
  }
}

/** Logs in and leaves: true if access was granted, false if it was denied. Rejects on any other failure. */
export const logIn = async (login: Login): Promise<boolean> => {
  const plain = connectTcp({ host: login.host, port: 3306, noDelay: true })
  plain.setTimeout(10_000, () => plain.destroy(new Error('no answer for 10 s')))
  try {
    const { payload } = await next(packets(plain))
    const nonce = nonceOf(payload)
    plain.write(packet(1, head()))
    const secure = connectTls({ socket: plain, secureContext, rejectUnauthorized: false })
    const reader = packets(secure)
    secure.write(packet(2, answer(login, nonce)))
    return await verdict(secure, reader, login.password)
  } finally {
    plain.destroy()
  }
}
