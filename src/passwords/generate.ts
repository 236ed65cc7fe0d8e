import { randomInt } from 'node:crypto'

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const alphanumerics = `${letters}0123456789`

/**
 * A random password of 16 to 64 ASCII letters and digits, the first a letter, so that it means itself in URLs,
 * shells and option files. Every such password is equally likely: 142 bits with the default of 24 characters.
 * A buffer, so that the caller can zero it. Throws a RangeError on another length.
 */
export function generatePassword(length = 24): Buffer {
  if (!Number.isInteger(length) || length < 16 || length > 64)
    throw new RangeError('the length of a generated password: give an integer from 16 to 64')
  const password = Buffer.alloc(length)
  for (let i = 0; i < length; i++) {
    const alphabet = i === 0 ? letters : alphanumerics
    password[i] = alphabet.charCodeAt(randomInt(alphabet.length))
  }
  return password
}
