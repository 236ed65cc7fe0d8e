import { hash as digest } from 'node:crypto'

/**
 * SHA-crypt with SHA-256 (U. Drepper, "Unix crypt using SHA-256 and SHA-512", version 0.6) as MySQL uses it:
 * the salt is taken whole (glibc cuts it at 16 bytes) and only the 43 characters of the digest are returned.
 * Blocks the thread: about 2 ms per 1,000 rounds. All copies of the password made here are zeroed.
 */
export function shaCrypt256(password: Uint8Array, salt: Uint8Array, rounds: number): string {
  const start = startingDigest(password, salt)
  const p = spread(repeatedDigest(password, password.length), password.length)
  const s = spread(repeatedDigest(salt, 16 + byte(start, 0)), salt.length)
  const messages = Array.from({ length: 8 }, (_, shape) => roundMessage(shape, p, s))
  let current = start
  for (let i = 0; i < rounds; i++) {
    const shape = (i & 1) | (i % 3 ? 2 : 0) | (i % 7 ? 4 : 0)
    const message = messages[shape] as RoundMessage
    message.bytes.set(current, message.slot)
    current = sha256(message.bytes)
  }
  for (const message of messages) message.bytes.fill(0)
  p.fill(0)
  return cryptBase64(current)
}

/** Digest A of the specification: password, salt, digest B stretched, then digest B or password by length bits. */
function startingDigest(password: Uint8Array, salt: Uint8Array): Buffer {
  const b = wipingSha256([password, salt, password])
  const parts = [password, salt, spread(b, password.length)]
  for (let bits = password.length; bits > 0; bits >>= 1) parts.push(bits & 1 ? b : password)
  return wipingSha256(parts)
}

interface RoundMessage {
  readonly bytes: Buffer
  /** Where the digest of the round before goes. */
  readonly slot: number
}

/**
 * A round hashes one of only eight messages, by three yes/no questions (odd? salt? password?), that differ
 * from round to round in the 32 bytes of the last digest alone. So the eight are laid out once.
 */
function roundMessage(shape: number, p: Uint8Array, s: Uint8Array): RoundMessage {
  const odd = (shape & 1) !== 0
  const gap = Buffer.alloc(32)
  const middle = [...(shape & 2 ? [s] : []), ...(shape & 4 ? [p] : [])]
  const bytes = Buffer.concat(odd ? [p, ...middle, gap] : [gap, ...middle, p])
  return { bytes, slot: odd ? bytes.length - gap.length : 0 }
}

/** The digest of `part` written `times` times. */
function repeatedDigest(part: Uint8Array, times: number): Buffer {
  return wipingSha256(Array.from({ length: times }, () => part))
}

/** The first `length` bytes of `part` repeated without end. */
function spread(part: Uint8Array, length: number): Buffer {
  return length === 0 ? Buffer.alloc(0) : Buffer.alloc(length, part)
}

function wipingSha256(parts: readonly Uint8Array[]): Buffer {
  const message = Buffer.concat(parts)
  const result = sha256(message)
  message.fill(0)
  return result
}

function sha256(message: Uint8Array): Buffer {
  return digest('sha256', message, 'buffer')
}

const alphabet = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** The 32 bytes in the order and the base64 of crypt(3): ten groups of three bytes, low bits first, then two. */
function cryptBase64(bytes: Uint8Array): string {
  let text = ''
  let group: [number, number, number] = [0, 10, 20]
  for (let i = 0; i < 10; i++) {
    const [x, y, z] = group
    text += sextets((byte(bytes, x) << 16) | (byte(bytes, y) << 8) | byte(bytes, z), 4)
    group = [z + 1, x + 1, y + 1]
  }
  return text + sextets((byte(bytes, 31) << 8) | byte(bytes, 30), 3)
}

function sextets(word: number, count: number): string {
  let text = ''
  for (let i = 0; i < count; i++) text += alphabet.charAt((word >> (6 * i)) & 63)
  return text
}

function byte(bytes: Uint8Array, index: number): number {
  return bytes[index] as number
}
