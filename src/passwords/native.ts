import { createHash, timingSafeEqual } from 'node:crypto'
import { requireUsablePassword } from './policy.ts'

/**
 * The stored form of `mysql_native_password`: `*` and upper-case hex of SHA1(SHA1(password)). Unsalted, so only for
 * servers older than 8.0. Throws a RangeError, which quotes nothing, on a password that MySQL would refuse.
 */
export function hash(password: Buffer): string {
  requireUsablePassword(password)
  return digestOf(password)
}

/** Does the password belong to the stored string? False too when that is no such string. */
export function verify(password: Buffer, stored: string): boolean {
  if (!isNative(stored)) return false
  return timingSafeEqual(Buffer.from(digestOf(password), 'latin1'), Buffer.from(stored, 'latin1'))
}

/** Is the text exactly `*` and 40 digits of upper-case hex? */
export function isNative(stored: string): boolean {
  return /^\*[0-9A-F]{40}$/.test(stored)
}

function digestOf(password: Buffer): string {
  const once = createHash('sha1').update(password).digest()
  return `*${createHash('sha1').update(once).digest('hex').toUpperCase()}`
}
