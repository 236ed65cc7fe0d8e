import type { Logger } from 'pino'
import type { MySQL } from '../api/mysql.ts'
import type { Client } from '../kube/client.ts'
import type { Recorder } from '../kube/events.ts'
import type { AuthPlugin } from '../passwords/credential.ts'
import type { Hasher } from '../passwords/hasher.ts'
import type { Caches } from './caches.ts'
import type { Recent } from './recent.ts'

/** What is known of the operator's account in one database. */
export interface OperatorAccount {
  initUid: string
  plugin: AuthPlugin
}

/** What every reconcile needs; made once by main. */
export interface Context {
  /** The leader's client: each write is checked against the Lease first. */
  client: Client
  caches: Caches
  hasher: Hasher
  /** The 32 bytes from which password tags and seals are derived. */
  operatorKey: Buffer
  /** Characters of a root password that is made because none was given. */
  generatedPasswordLength: number
  record: Recorder
  /** The operator accounts that were found whole, by the MySQL's uid: the uid of the account's SQL, and its plugin. */
  accountsSeen: Recent<OperatorAccount>
  /** The hash Secrets that were found, by the MySQL's uid and their name. */
  hashesSeen: Recent<true>
  now: () => Date
}

/** One reconcile of one MySQL. */
export interface Run extends Context {
  mysql: MySQL
  log: Logger
  /** What has been done so far, in words for people: the answer to a request for a reconcile. */
  did: string[]
}

/** The same run with another image: all that it makes is made for that server. */
export const withImage = (run: Run, image: string): Run =>
  image === run.mysql.spec.image
    ? run
    : { ...run, mysql: { ...run.mysql, spec: { ...run.mysql.spec, image } } }

/** Where the objects of a run are. */
export const at = ({ mysql }: Run, name: string) => ({ namespace: mysql.metadata.namespace, name })
