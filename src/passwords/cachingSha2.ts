import { pbkdf2Sync, randomInt, timingSafeEqual } from 'node:crypto'
import { maxPasswordBytes, requireUsablePassword } from './policy.ts'
import { shaCrypt256 } from './shaCrypt.ts'

/** `A`: SHA-crypt (CRYPT5), known to every server with the plugin. `B`: PBKDF2 with SHA-512, from 9.7 on. */
export type CachingSha2Form = 'A' | 'B'

/** The parts of what `mysql.user.authentication_string` holds for `caching_sha2_password`. */
export interface CachingSha2 {
  readonly form: CachingSha2Form
  /** A multiple of 1,000 from 5,000 to 4,095,000. */
  readonly rounds: number
  /** 20 bytes; any, when read, but a server and {@link hash} make none with NUL or `$` in it. */
  readonly salt: Buffer
  /** 43 characters of crypt base64 in form A, 88 of standard base64 in form B. */
  readonly digest: string
}

/** What {@link hash} may be told; the defaults are form A, 5,000 rounds and a random salt. */
export interface CachingSha2Options {
  readonly form?: CachingSha2Form
  readonly rounds?: number
  readonly salt?: Buffer
}

export const saltBytes = 20
/** What MySQL 8.0 uses, and 9.7 accepts. */
export const defaultRounds = 5_000

const maxRounds = 0xfff * 1_000
const headBytes = '$A$005$'.length
const dollar = '$'.charCodeAt(0)

const digestPattern: Readonly<Record<CachingSha2Form, RegExp>> = {
  // 43 characters carry 258 bits: the last one has only 4 of the digest's 256, 86 carry 516: 2 of 512.
  A: /^[./0-9A-Za-z]{42}[./0-9A-D]$/,
  B: /^[A-Za-z0-9+/]{85}[AQgw]==$/,
}

/**
 * The bytes to store for a password: 70 in form A, 115 in form B. Blocks the thread for some 10 ms at 5,000 rounds.
 * Throws a RangeError, which quotes nothing, on a password, number of rounds or salt that MySQL would refuse.
 */
export function hash(password: Buffer, options: CachingSha2Options = {}): Buffer {
  const { form = 'A', rounds = defaultRounds, salt = randomSalt() } = options
  requireUsablePassword(password)
  if (!isRounds(rounds)) throw new RangeError('rounds: give a multiple of 1,000 from 5,000 to 4,095,000')
  if (!isSalt(salt)) throw new RangeError(`salt: give ${saltBytes} bytes without NUL and "$"`)
  return serialise({ form, rounds, salt, digest: digestOf(password, form, rounds, salt) })
}

/** The parts of a stored string; undefined when it is anything else than a whole string of form A or B. */
export function parse(stored: Buffer): CachingSha2 | undefined {
  const head = /^\$([AB])\$([0-9A-Fa-f]{3})\$$/.exec(stored.toString('latin1', 0, headBytes))
  if (head === null) return undefined
  const form = head[1] as CachingSha2Form
  const rounds = Number.parseInt(head[2] as string, 16) * 1_000
  const salt = Buffer.from(stored.subarray(headBytes, headBytes + saltBytes))
  const digest = stored.toString('latin1', headBytes + saltBytes)
  // A whole digest behind it leaves the salt no length but its own.
  if (!(isRounds(rounds) && digestPattern[form].test(digest))) return undefined
  return { form, rounds, salt, digest }
}

/** The stored string of the given parts, with the rounds in upper-case hex of thousands. */
export function serialise(parts: CachingSha2): Buffer {
  const thousands = (parts.rounds / 1_000).toString(16).toUpperCase().padStart(3, '0')
  const head = Buffer.from(`$${parts.form}$${thousands}$`, 'latin1')
  return Buffer.concat([head, parts.salt, Buffer.from(parts.digest, 'latin1')])
}

/**
 * Does the password belong to the stored string? False too for a string that cannot be parsed, the empty one
 * of an account without password among them. Takes as long as {@link hash} with the rounds of the string.
 */
export function verify(password: Buffer, stored: Buffer): boolean {
  const parts = parse(stored)
  if (parts === undefined || password.length > maxPasswordBytes) return false
  const digest = digestOf(password, parts.form, parts.rounds, parts.salt)
  return timingSafeEqual(Buffer.from(digest, 'latin1'), Buffer.from(parts.digest, 'latin1'))
}

function digestOf(password: Buffer, form: CachingSha2Form, rounds: number, salt: Buffer): string {
  return form === 'A'
    ? shaCrypt256(password, salt, rounds)
    : pbkdf2Sync(password, salt, rounds, 64, 'sha512').toString('base64')
}

/** Printable ASCII, so that files and terminals stay whole; 93 characters to the 20th are 130 bits. */
function randomSalt(): Buffer {
  const salt = Buffer.alloc(saltBytes)
  for (let i = 0; i < saltBytes; i++) {
    const character = randomInt(0x21, 0x7e)
    salt[i] = character < dollar ? character : character + 1
  }
  return salt
}

function isRounds(rounds: number): boolean {
  return rounds >= defaultRounds && rounds <= maxRounds && rounds % 1_000 === 0
}

function isSalt(salt: Buffer): boolean {
  return salt.length === saltBytes && !salt.includes(0) && !salt.includes(dollar)
}
