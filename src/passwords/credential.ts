import * as cachingSha2 from './cachingSha2.ts'
import * as native from './native.ts'

/** The authentication plugins that an account of ours can have. */
export type AuthPlugin = 'caching_sha2_password' | 'mysql_native_password'

/** What a server is told in place of a password. As crackable as any hash, so as secret as the password. */
export interface Credential {
  readonly plugin: AuthPlugin
  /**
   * What stands behind `AS` in SQL: `0x2441…` in upper-case hex for `caching_sha2_password` (its salt may hold
   * quotes and control bytes), `*` and 40 upper-case hex digits, without quotes, for `mysql_native_password`.
   */
  readonly literal: string
}

/** Hashes a password for an account; blocks the thread for some 10 ms. See the hasher for one that does not. */
export function createCredential(password: Buffer, plugin: AuthPlugin): Credential {
  if (plugin === 'mysql_native_password') return { plugin, literal: native.hash(password) }
  return { plugin, literal: hexLiteral(cachingSha2.hash(password)) }
}

/**
 * A credential of the given parts, or undefined unless they are exactly what {@link Credential} describes:
 * nothing that could end an SQL literal or a shell word gets through. Takes anything, a Secret's data included.
 */
export function parseCredential(plugin: unknown, literal: unknown): Credential | undefined {
  if (typeof literal !== 'string') return undefined
  if (plugin === 'mysql_native_password') return native.isNative(literal) ? { plugin, literal } : undefined
  if (plugin !== 'caching_sha2_password' || !/^0x(?:[0-9A-F]{140}|[0-9A-F]{230})$/.test(literal))
    return undefined
  return cachingSha2.parse(fromHexLiteral(literal)) === undefined ? undefined : { plugin, literal }
}

/**
 * The credential that a server holds, of the columns `plugin` and `authentication_string` of `mysql.user`;
 * undefined for other plugins, accounts without a password, and anything malformed.
 */
export function observedCredential(plugin: string, authenticationString: Buffer): Credential | undefined {
  const literal =
    plugin === 'mysql_native_password'
      ? authenticationString.toString('latin1')
      : hexLiteral(authenticationString)
  return parseCredential(plugin, literal)
}

/** Does the password belong to the credential? False for a malformed one. Blocks the thread like hashing. */
export function verifyCredential(password: Buffer, credential: Credential): boolean {
  const { plugin, literal } = credential
  if (parseCredential(plugin, literal) === undefined) return false
  return plugin === 'mysql_native_password'
    ? native.verify(password, literal)
    : cachingSha2.verify(password, fromHexLiteral(literal))
}

/**
 * `IDENTIFIED WITH 'plugin' AS literal`, ready to stand in CREATE USER and ALTER USER. Throws a TypeError,
 * which quotes nothing, for a credential that {@link parseCredential} would not let through.
 */
export function identifiedWith(credential: Credential): string {
  const { plugin, literal } = credential
  if (parseCredential(plugin, literal) === undefined)
    throw new TypeError('the credential is malformed: create it anew from the password')
  return `IDENTIFIED WITH '${plugin}' AS ${plugin === 'mysql_native_password' ? `'${literal}'` : literal}`
}

function hexLiteral(bytes: Buffer): string {
  return `0x${bytes.toString('hex').toUpperCase()}`
}

function fromHexLiteral(literal: string): Buffer {
  return Buffer.from(literal.slice('0x'.length), 'hex')
}
