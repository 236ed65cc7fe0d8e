import { randomInt } from 'node:crypto'

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const alphanumerics = `${letters}0123456789`

/** How many characters a generated password has: 95 bits at least, 142 by default, and no longer than other tools take. */
export const generatedLength = { minimum: 16, maximum: 64, default: 24 } as const

/**
 * A random password of ASCII letters and digits, the first a letter, so that it means itself in URLs, shells and option
 * files. Every such password is equally likely. A buffer, so that the caller can zero it. Throws a RangeError on a length
 * outside of {@link generatedLength}.
 */
export function generatePassword(length: number = generatedLength.default): Buffer {
  const { minimum, maximum } = generatedLength
  if (!Number.isInteger(length) || length < minimum || length > maximum)
    throw new RangeError(`the length of a generated password: give an integer from ${minimum} to ${maximum}`)
  const password = Buffer.alloc(length)
  for (let i = 0; i < length; i++) {
    const alphabet = i === 0 ? letters : alphanumerics
    password[i] = alphabet.charCodeAt(randomInt(alphabet.length))
  }
  return password
}
