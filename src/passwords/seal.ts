import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'
import { type AuthPlugin, type Credential, parseCredential } from './credential.ts'

/** Whose password: the account (`root`, `user`) of the MySQL resource of this namespace and name. */
export interface SealIdentity {
  readonly namespace: string
  readonly name: string
  readonly account: string
}

/** What the sealed annotation carries from the webhook, which may not write, to the reconciler, which may. */
export interface SealedPassword {
  /** From {@link tag}. */
  readonly tag: string
  readonly credential: Credential
  /** The Secret that the reconciler is to create from the credential. */
  readonly secretName: string
}

/** The operator key's length in bytes. */
export const operatorKeyBytes = 32

const version = 'v1.'
const cipherName = 'aes-256-gcm'
const nonceBytes = 12
const authTagBytes = 16

/**
 * 64 hex digits by which the same password of the same account is known again without keeping it: HMAC-SHA256
 * under the operator key over identity, plugin and password, each behind its length so that none runs into the next.
 */
export function tag(
  key: Buffer,
  identity: SealIdentity & { readonly plugin: AuthPlugin },
  password: Buffer,
): string {
  const message = lengthPrefixed(['tag v1', ...identityParts(identity), identity.plugin, password])
  const result = createHmac('sha256', requireOperatorKey(key)).update(message).digest('hex')
  message.fill(0)
  return result
}

/**
 * Seals for an annotation: `v1.` and base64url of nonce, ciphertext and authentication tag (AES-256-GCM under a key
 * derived from the operator key, the identity as additional data). The length tells nothing of the password, of which
 * only tag and hash are in it. Throws a TypeError, which quotes nothing, on contents that {@link open} would refuse.
 */
export function seal(key: Buffer, identity: SealIdentity, sealed: SealedPassword): string {
  const { tag, credential, secretName } = sealed
  const contents = parseContents([tag, credential.plugin, credential.literal, secretName])
  if (contents === undefined)
    throw new TypeError('tag, credential or Secret name is malformed: make them with tag(), hash() and names')
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv(cipherName, sealingKey(key), nonce, { authTagLength: authTagBytes })
  cipher.setAAD(additionalData(identity))
  const plain = JSON.stringify([tag, credential.plugin, credential.literal, secretName])
  const parts = [nonce, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()]
  return version + Buffer.concat(parts).toString('base64url')
}

/** The contents; undefined for a text that is not, to the letter, one sealed by this key for this identity. Never throws. */
export function open(key: Buffer, identity: SealIdentity, text: string): SealedPassword | undefined {
  try {
    const sealed = decode(text)
    return sealed && parseContents(JSON.parse(decrypt(key, identity, sealed)))
  } catch {
    // Whatever is wrong with it, the answer to the caller is the same: this was not sealed here, hash again.
    return undefined
  }
}

function decode(text: string): Buffer | undefined {
  if (!text.startsWith(version)) return undefined
  const encoded = text.slice(version.length)
  const bytes = Buffer.from(encoded, 'base64url')
  // Node's decoder skips what it does not know; only the one true spelling is accepted.
  return bytes.toString('base64url') === encoded && bytes.length > nonceBytes + authTagBytes
    ? bytes
    : undefined
}

function decrypt(key: Buffer, identity: SealIdentity, sealed: Buffer): string {
  const nonce = sealed.subarray(0, nonceBytes)
  const decipher = createDecipheriv(cipherName, sealingKey(key), nonce, { authTagLength: authTagBytes })
  decipher.setAAD(additionalData(identity))
  decipher.setAuthTag(sealed.subarray(-authTagBytes))
  const plain = decipher.update(sealed.subarray(nonceBytes, -authTagBytes))
  return Buffer.concat([plain, decipher.final()]).toString('utf8')
}

function parseContents(contents: unknown): SealedPassword | undefined {
  if (!Array.isArray(contents) || contents.length !== 4) return undefined
  const [tag, plugin, literal, secretName]: unknown[] = contents
  const credential = parseCredential(plugin, literal)
  if (typeof tag !== 'string' || !/^[0-9a-f]{64}$/.test(tag) || credential === undefined) return undefined
  if (typeof secretName !== 'string' || !isObjectName(secretName)) return undefined
  return { tag, credential, secretName }
}

/** A DNS-1123 subdomain, which is what names a Secret. */
function isObjectName(text: string): boolean {
  const label = '[a-z0-9](?:[-a-z0-9]*[a-z0-9])?'
  return text.length <= 253 && new RegExp(`^${label}(?:\\.${label})*$`).test(text)
}

function sealingKey(key: Buffer): Buffer {
  return Buffer.from(hkdfSync('sha256', requireOperatorKey(key), '', 'mysql-operator sealed password v1', 32))
}

function additionalData(identity: SealIdentity): Buffer {
  return lengthPrefixed(['seal v1', ...identityParts(identity)])
}

function identityParts({ namespace, name, account }: SealIdentity): string[] {
  return [namespace, name, account]
}

/** Each part behind its length in four bytes: different lists never give the same bytes. */
function lengthPrefixed(parts: readonly (string | Buffer)[]): Buffer {
  const pieces = parts.flatMap((part) => {
    const bytes = typeof part === 'string' ? Buffer.from(part, 'utf8') : part
    const length = Buffer.alloc(4)
    length.writeUInt32BE(bytes.length)
    return [length, bytes]
  })
  return Buffer.concat(pieces)
}

function requireOperatorKey(key: Buffer): Buffer {
  if (key.length !== operatorKeyBytes)
    throw new RangeError(`the operator key is not ${operatorKeyBytes} bytes long: restore its Secret`)
  return key
}
