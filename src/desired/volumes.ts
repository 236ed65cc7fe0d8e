import type { MySQL } from '../api/mysql.ts'
import { names } from '../api/names.ts'
import { claimSpec } from './claims.ts'

/**
 * Where things are inside the pods. The scripts have these paths too: they are constants there, so a change here is a
 * change in scripts/common.sh.
 */
export const paths = {
  config: '/etc/mysql-operator/config',
  client: '/etc/mysql-operator/client',
  init: '/etc/mysql-operator/init',
  credentials: '/etc/mysql-operator/credentials',
  data: '/var/lib/mysql',
  /** Socket and pid file. Clients of official images look for the socket here. */
  run: '/run/mysqld',
  tmp: '/tmp',
} as const

/** The backup claim's mount point; named after the instance, as people know it from the Job's log. */
export const backupPath = (mysql: MySQL) => `/backup-${mysql.metadata.name}-pv`

/** Path of a script inside a pod. */
export const scriptPath = (script: string) => `${paths.config}/${script}`

// Read for the owner and the group, which is the pod's fsGroup; nobody else.
const secretMode = 0o440
const readOnly = true

export interface Mounted {
  volume: { name: string; [source: string]: unknown }
  mount: { name: string; mountPath: string; readOnly?: boolean }
}

const emptyDir = (name: string, mountPath: string): Mounted => ({
  volume: { name, emptyDir: {} },
  mount: { name, mountPath },
})

const secret = (name: string, secretName: string, mountPath: string): Mounted => ({
  volume: { name, secret: { secretName, defaultMode: secretMode } },
  mount: { name, mountPath, readOnly },
})

/** The whole ConfigMap as one directory: only so do running pods see a newer script. */
export const configVolume = (mysql: MySQL): Mounted => ({
  volume: { name: 'config', configMap: { name: names.config(mysql.metadata.name) } },
  mount: { name: 'config', mountPath: paths.config, readOnly },
})

/** client.cnf with the password of the operator's account. */
export const clientVolume = (mysql: MySQL) =>
  secret('client', names.operatorSecret(mysql.metadata.name), paths.client)

/** init.sql, which asserts the operator's account at every start. */
export const initVolume = (mysql: MySQL) => secret('init', names.initSecret(mysql.metadata.name), paths.init)

/** `plugin` and `password` (the hash as SQL literal) of one account. */
export const credentialVolume = (account: string, secretName: string) =>
  secret(`credential-${account}`, secretName, `${paths.credentials}/${account}`)

export const dataVolume = (mysql: MySQL): Mounted => ({
  volume: { name: 'data', persistentVolumeClaim: { claimName: names.data(mysql.metadata.name) } },
  mount: { name: 'data', mountPath: paths.data },
})

/**
 * A volume like the data claim in place of it, which is made for one pod and goes with it. Not an emptyDir: that would be on
 * the node's own disk, which is not made for databases, and a full one costs the node its pods.
 */
export const throwAwayVolume = ({ spec }: MySQL): Mounted => ({
  volume: { name: 'data', ephemeral: { volumeClaimTemplate: { spec: claimSpec(spec) } } },
  mount: { name: 'data', mountPath: paths.data },
})

export const backupVolume = (mysql: MySQL): Mounted => ({
  volume: { name: 'backup', persistentVolumeClaim: { claimName: names.backups(mysql.metadata.name) } },
  mount: { name: 'backup', mountPath: backupPath(mysql) },
})

export const runVolume = () => emptyDir('run', paths.run)
export const tmpVolume = () => emptyDir('tmp', paths.tmp)

/** Taken apart into the two lists of a pod. */
export const volumes = (mounted: Mounted[]) => mounted.map(({ volume }) => volume)
export const volumeMounts = (mounted: Mounted[]) => mounted.map(({ mount }) => mount)
