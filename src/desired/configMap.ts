import { readFileSync } from 'node:fs'
import type { V1ConfigMap } from '@kubernetes/client-node'
import type { MySQL } from '../api/mysql.ts'
import { names } from '../api/names.ts'
import type { Live } from '../api/resource.ts'
import { metadata } from './metadata.ts'
import { myCnf } from './myCnf.ts'

export type ConfigMapManifest = Live<V1ConfigMap>

/** The scripts that run in pods. They are the same for every MySQL: its values come by files and variables. */
export const scriptNames = [
  'common.sh',
  'accounts.sh',
  'definers.sh',
  'dumps.sh',
  'retention.sh',
  'views.sh',
  'initialise.sh',
  'ready.sh',
  'restore.sh',
  'password.sh',
  'backup.sh',
  'verify.sh',
] as const

const scripts = Object.fromEntries(
  scriptNames.map((name) => [name, readFileSync(new URL(`./scripts/${name}`, import.meta.url), 'utf8')]),
)

/** my.cnf and the scripts. */
export const configMap = (mysql: MySQL): ConfigMapManifest => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: metadata(mysql, names.config(mysql.metadata.name), 'database'),
  data: { 'my.cnf': myCnf(mysql), ...scripts },
})
