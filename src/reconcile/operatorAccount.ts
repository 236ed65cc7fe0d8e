/** The operator's own account in a database: one Secret with its password, one with the SQL that asserts its hash. */
import { needsNativePassword } from '../api/image.ts'
import { annotations, names } from '../api/names.ts'
import { initSecret, isForPlugin, operatorSecret, passwordOf } from '../desired/secrets.ts'
import { NameTaken } from '../kube/apply.ts'
import { Secret } from '../kube/kinds.ts'
import type { AuthPlugin } from '../passwords/credential.ts'
import { generatePassword } from '../passwords/generate.ts'
import { at, type Run } from './context.ts'
import { createOrGet } from './create.ts'

/** The Secret of that name if it is this MySQL's; one of a former MySQL of that name is removed first. */
const ownSecret = async (run: Run, name: string): Promise<Secret | undefined> => {
  const secret = await run.client.get(Secret, at(run, name))
  if (!secret || secret.metadata.annotations?.[annotations.ownerUid] === run.mysql.metadata.uid) return secret
  if (secret.metadata.annotations?.[annotations.ownerUid] === undefined)
    throw new NameTaken(Secret, at(run, name))
  await run.client.remove(Secret, at(run, name), { uid: secret.metadata.uid })
  return undefined
}

const create = async (run: Run, secret: Secret): Promise<Secret> => {
  const stored = await createOrGet(run, Secret, secret)
  if (stored.metadata.annotations?.[annotations.ownerUid] === run.mysql.metadata.uid) return stored
  throw new NameTaken(Secret, at(run, secret.metadata.name))
}

const pluginFor = ({ mysql }: Run): AuthPlugin =>
  needsNativePassword(mysql.spec.image) ? 'mysql_native_password' : 'caching_sha2_password'

/** The account's SQL by its uid, from memory where it was read a moment ago. */
export const operatorAccountUid = async (run: Run): Promise<string> => {
  const key = run.mysql.metadata.uid ?? ''
  const plugin = pluginFor(run)
  const seen = run.accountsSeen.get(key, run.now())
  if (seen?.plugin === plugin) return seen.initUid
  const initUid = await ensureOperatorAccount(run, plugin)
  run.accountsSeen.set(key, { initUid, plugin }, run.now())
  return initUid
}

/**
 * Both Secrets, made where they are missing. Each is written once and never changed: a lost password means a new one, and
 * that, as an image of 8.0 after an older one does, new SQL, and (by the uid that is returned and goes into the pod's
 * annotations) a pod that starts with it.
 */
const ensureOperatorAccount = async (run: Run, plugin: AuthPlugin): Promise<string> => {
  const { name } = run.mysql.metadata
  const found = await ownSecret(run, names.operatorSecret(name))
  let init = await ownSecret(run, names.initSecret(name))
  if (found && init && isForPlugin(init, plugin)) return init.metadata.uid ?? ''
  if (init) {
    // The SQL belongs to the password that was lost, or to a plugin that the next series will not have. It goes first: a
    // crash in between must not leave a pair that differs.
    await run.client.remove(Secret, at(run, names.initSecret(name)), { uid: init.metadata.uid })
  }
  const account =
    found ?? (await create(run, operatorSecret(run.mysql, generatePassword(32).toString('ascii'))))
  const credential = await run.hasher.hash(Buffer.from(passwordOf(account)), plugin)
  init = await create(run, initSecret(run.mysql, credential))
  return init.metadata.uid ?? ''
}
