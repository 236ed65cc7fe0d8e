/** Which hash each account shall have: from the webhook's sealed annotation, or from a Secret of the user's own. */
import { needsNativePassword } from '../api/image.ts'
import {
  type Account,
  accounts,
  annotations,
  defaultPasswordKey,
  names,
  sealedAnnotation,
  secretTypes,
} from '../api/names.ts'
import { credentialSecret, generatedRootSecret } from '../desired/secrets.ts'
import { Secret } from '../kube/kinds.ts'
import type { AuthPlugin, Credential } from '../passwords/credential.ts'
import { generatePassword } from '../passwords/generate.ts'
import { passwordBytesProblem } from '../passwords/policy.ts'
import { open, tag } from '../passwords/seal.ts'
import { at, type Run } from './context.ts'
import { createOrGet } from './create.ts'

/** The hash Secret that an account shall have in force, or why there is none yet. */
export type Wanted =
  | { state: 'ready'; secretName: string }
  | { state: 'waiting'; why: string }
  /** The account has no password, so it is not made. */
  | { state: 'none' }

/** Where no root password is given one is generated; the webhook says so in the spec, but it may not have run. */
const refOf = ({ mysql }: Run, account: Account) =>
  account === 'user'
    ? mysql.spec.userPasswordSecretRef
    : (mysql.spec.passwordSecretRef ?? {
        name: names.generatedRoot(mysql.metadata.name),
        key: defaultPasswordKey,
      })

const identityOf = ({ mysql }: Run, account: Account) => ({
  namespace: mysql.metadata.namespace ?? '',
  name: mysql.metadata.name,
  account,
})

const pluginFor = ({ mysql }: Run): AuthPlugin =>
  needsNativePassword(mysql.spec.image) ? 'mysql_native_password' : 'caching_sha2_password'

const isOwn = ({ mysql }: Run, secret: Secret) =>
  secret.metadata.annotations?.[annotations.ownerUid] === mysql.metadata.uid

const isHash = (run: Run, secret: Secret) => secret.type === secretTypes.passwordHash && isOwn(run, secret)

/** What the webhook sealed into the resource; only it knows the operator key, so nobody else can have made it. */
const sealedFor = (run: Run, account: Account) => {
  const text = run.mysql.metadata.annotations?.[sealedAnnotation(account)]
  return text === undefined ? undefined : open(run.operatorKey, identityOf(run, account), text)
}

const memoryOf = ({ mysql }: Run, secretName: string) => `${mysql.metadata.uid} ${secretName}`

/**
 * The hash Secret of that name, made by `credential` where it is missing. It never changes, so one that was found a moment
 * ago is not read again.
 */
const hashSecret = async (
  run: Run,
  account: Account,
  secretName: string,
  credential: () => Credential | Promise<Credential>,
  taken: string,
): Promise<Wanted> => {
  if (run.hashesSeen.get(memoryOf(run, secretName), run.now())) return { state: 'ready', secretName }
  const secret =
    (await run.client.get(Secret, at(run, secretName))) ??
    (await createOrGet(run, Secret, credentialSecret(run.mysql, account, secretName, await credential())))
  if (!isHash(run, secret)) return { state: 'waiting', why: taken }
  run.hashesSeen.set(memoryOf(run, secretName), true, run.now())
  return { state: 'ready', secretName }
}

const fromSeal = async (run: Run, account: Account, secretName: string): Promise<Wanted | undefined> => {
  const sealed = sealedFor(run, account)
  if (sealed?.secretName !== secretName) return undefined
  const taken = `Secret ${secretName} is somebody else's: delete it, the operator makes its own`
  return hashSecret(run, account, secretName, () => sealed.credential, taken)
}

/** Why a Secret cannot be read as a password; its own text may say more than its reader may know, so it is not quoted. */
const unusable = (run: Run, account: Account, secret: Secret, key: string): string | undefined => {
  const { name } = secret.metadata
  // Nobody was asked whether the writer of the resource may read a Secret of this name: it has to be the generated one.
  if (
    isGenerated(run, account, name) &&
    !(secret.type === secretTypes.generatedPassword && isOwn(run, secret))
  ) {
    return `Secret ${name} was not made by the operator, which keeps the generated root password there: rename yours`
  }
  const ours = Object.values(secretTypes).includes(secret.type as never)
  if (ours && (secret.type !== secretTypes.generatedPassword || !isOwn(run, secret))) {
    return `Secret ${name} belongs to another database: name a Secret of your own`
  }
  const value = secret.data?.[key]
  if (value === undefined) return `Secret ${name} has no key ${key}: add it, or name another key`
  const problem = passwordBytesProblem(Buffer.from(value, 'base64'))
  return problem && `Secret ${name}, key ${key}: ${problem}`
}

/** The password in a user's own Secret, hashed once: the name of the hash Secret is derived from the password's tag. */
const fromSecret = async (run: Run, account: Account, secret: Secret, key: string): Promise<Wanted> => {
  const why = unusable(run, account, secret, key)
  if (why !== undefined) return { state: 'waiting', why }
  const password = Buffer.from(secret.data?.[key] ?? '', 'base64')
  const plugin = pluginFor(run)
  const suffix = tag(run.operatorKey, { ...identityOf(run, account), plugin }, password).slice(0, 10)
  const secretName = names.credential(run.mysql.metadata.name, account, suffix)
  const wanted = await hashSecret(
    run,
    account,
    secretName,
    async () => {
      run.log.info({ account }, 'hashing a password from a Secret')
      return run.hasher.hash(password, plugin)
    },
    leftover(secretName),
  )
  password.fill(0)
  return wanted
}

/** After a quick delete and create the garbage collector may not have come yet. */
const leftover = (name: string) =>
  `Secret ${name} is of a former resource of this name and goes in a moment; if it stays, delete it`

const isGenerated = ({ mysql }: Run, account: Account, secretName: string) =>
  account === 'root' && secretName === names.generatedRoot(mysql.metadata.name)

/** Finds, and where it is missing makes, the hash Secret of an account. Reads Secrets by name only. */
export const wantedCredential = async (run: Run, account: Account): Promise<Wanted> => {
  const ref = refOf(run, account)
  if (!ref) return { state: 'none' }
  const sealed = await fromSeal(run, account, ref.name)
  if (sealed) return sealed
  let secret = await run.client.get(Secret, at(run, ref.name))
  if (!secret && isGenerated(run, account, ref.name)) {
    secret = await createOrGet(
      run,
      Secret,
      generatedRootSecret(run.mysql, generatePassword(run.generatedPasswordLength).toString('ascii')),
    )
  }
  if (!secret)
    return {
      state: 'waiting',
      why: `Secret ${ref.name} does not exist yet: create it with the key ${ref.key}`,
    }
  if (isHash(run, secret)) return { state: 'ready', secretName: ref.name }
  return fromSecret(run, account, secret, ref.key)
}

/** True if a Secret of the user's own is referred to: a change there can only be seen by reading it again. */
export const mustBeReadAgain = (run: Run): boolean =>
  accounts.some((account) => {
    const ref = refOf(run, account)
    return ref !== undefined && sealedFor(run, account)?.secretName !== ref.name
  })

/** Deletes a hash Secret that is out of force: only one of our type, of this MySQL, and exactly the one that was read. */
export const removeCredential = async (run: Run, secretName: string): Promise<void> => {
  const secret = await run.client.get(Secret, at(run, secretName))
  if (!secret || !isHash(run, secret)) return
  run.hashesSeen.delete(memoryOf(run, secretName))
  await run.client.remove(Secret, at(run, secretName), { uid: secret.metadata.uid })
}
