import { isUtf8 } from 'node:buffer'

/** What MySQL's own client and server accept in one password, in bytes of UTF-8. */
export const maxPasswordBytes = 256

/**
 * What is wrong with a password given as text, in words that never quote it; undefined when it can be used.
 * A lone surrogate is refused because its UTF-8 form would be U+FFFD: another password than the one typed.
 */
export function passwordProblem(password: string): string | undefined {
  if (!password.isWellFormed()) return 'the password is not well-formed Unicode: remove the lone surrogate'
  return passwordBytesProblem(Buffer.from(password, 'utf8'))
}

/** The same as {@link passwordProblem} for the bytes of a Secret. The bytes are neither kept nor changed. */
export function passwordBytesProblem(password: Uint8Array): string | undefined {
  if (password.length === 0) return 'the password is empty: give one of 1 to 256 bytes'
  if (password.length > maxPasswordBytes)
    return `the password is longer than ${maxPasswordBytes} bytes of UTF-8: give a shorter one`
  if (password.includes(0)) return 'the password contains a NUL byte: remove it'
  if (!isUtf8(password)) return 'the password is not valid UTF-8: encode it as UTF-8'
  return undefined
}

/** Throws a RangeError with the words of {@link passwordBytesProblem} when there are any. */
export function requireUsablePassword(password: Uint8Array): void {
  const problem = passwordBytesProblem(password)
  if (problem !== undefined) throw new RangeError(problem)
}
