import type { V1Secret } from '@kubernetes/client-node'
import type { MySQL } from '../api/mysql.ts'
import { type Account, defaultPasswordKey, names, operatorAccount, secretTypes } from '../api/names.ts'
import type { Live } from '../api/resource.ts'
import { type AuthPlugin, type Credential, identifiedWith } from '../passwords/credential.ts'
import { metadata, ownedMetadata } from './metadata.ts'

export type SecretManifest = Live<V1Secret>

const encoded = (data: Record<string, string>) =>
  Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]))

const lines = (text: string[]) => `${text.join('\n')}\n`

/**
 * The option file with which pods use the operator's account. The password must be one of the operator's own making,
 * letters and digits: throws a TypeError, which does not quote it, on anything that an option file might read differently.
 */
export const operatorSecret = (mysql: MySQL, password: string): SecretManifest => {
  if (!/^[A-Za-z0-9_-]{16,128}$/.test(password))
    throw new TypeError("the operator account's password is not 16 to 128 letters and digits: generate one")
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: metadata(mysql, names.operatorSecret(mysql.metadata.name), 'database'),
    type: secretTypes.operatorAccount,
    data: encoded({
      'client.cnf': lines([
        '[client]',
        `user=${operatorAccount}`,
        `password=${password}`,
        'ssl-mode=REQUIRED',
      ]),
    }),
  }
}

/** A Secret of the operator's own that somebody changed so that it is of no use. Its text quotes nothing of it. */
export class UnusableSecret extends Error {
  constructor(name: string) {
    super(`Secret ${name} holds no password: delete it, and the operator makes a new one`)
    this.name = 'UnusableSecret'
  }
}

/** The password in a Secret that {@link operatorSecret} made. Throws UnusableSecret if the Secret does not hold one. */
export const passwordOf = (secret: Pick<SecretManifest, 'metadata' | 'data'>): string => {
  const text = Buffer.from(secret.data?.['client.cnf'] ?? '', 'base64').toString()
  const password = /^password=(.+)$/m.exec(text)?.[1]
  if (password === undefined) throw new UnusableSecret(secret.metadata.name)
  return password
}

/**
 * The SQL that every start of the server begins with: the operator's account, by hash. One statement a line, since
 * that is how --init-file reads; the first that fails would end the file without a word, so nothing else is in it.
 */
export const initSecret = (mysql: MySQL, credential: Credential): SecretManifest => {
  const account = `'${operatorAccount}'@'%'`
  const identified = identifiedWith(credential)
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: metadata(mysql, names.initSecret(mysql.metadata.name), 'database'),
    type: secretTypes.operatorAccount,
    data: encoded({
      'init.sql': lines([
        'SET sql_log_bin=0;',
        `CREATE USER IF NOT EXISTS ${account} ${identified};`,
        `ALTER USER ${account} ${identified} REQUIRE NONE PASSWORD EXPIRE NEVER ACCOUNT UNLOCK;`,
        `GRANT ALL ON *.* TO ${account} WITH GRANT OPTION;`,
      ]),
    }),
  }
}

/** Is the account in SQL that {@link initSecret} made one of this plugin? */
export const isForPlugin = (secret: Pick<SecretManifest, 'data'>, plugin: AuthPlugin): boolean =>
  Buffer.from(secret.data?.['init.sql'] ?? '', 'base64').includes(`IDENTIFIED WITH '${plugin}' AS `)

/**
 * A password's hash for the Jobs, under a name that is never used twice; it never changes and goes with the MySQL.
 * Throws a TypeError for a name that is not one of this account's.
 */
export const credentialSecret = (
  mysql: MySQL,
  account: Account,
  secretName: string,
  credential: Credential,
): SecretManifest => {
  if (!secretName.startsWith(names.credential(mysql.metadata.name, account, '')))
    throw new TypeError(
      `${secretName} is no name for a Secret of ${account}: make it with names.credential()`,
    )
  // The last look before it becomes SQL in a Job; throws if anything in it could end a literal.
  identifiedWith(credential)
  const { plugin, literal } = credential
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: ownedMetadata(mysql, secretName, 'credential'),
    type: secretTypes.passwordHash,
    immutable: true,
    data: encoded({ plugin, [defaultPasswordKey]: literal }),
  }
}

/** The root password that was generated because none was given, where its user can read it. */
export const generatedRootSecret = (mysql: MySQL, password: string): SecretManifest => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: ownedMetadata(mysql, names.generatedRoot(mysql.metadata.name), 'credential'),
  type: secretTypes.generatedPassword,
  data: encoded({ [defaultPasswordKey]: password }),
})
