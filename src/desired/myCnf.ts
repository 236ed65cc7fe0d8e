import { createHash } from 'node:crypto'
import { isOlder, versionOf } from '../api/image.ts'
import type { MySQL } from '../api/mysql.ts'
import { parseQuantity } from '../api/quantity.ts'
import { paths } from './volumes.ts'

const mebi = 2 ** 20
const bufferPoolChunk = 128 * mebi
const smallestBufferPool = 32 * mebi

const binlogSeconds = 24 * 60 * 60

/**
 * Bytes of innodb_buffer_pool_size: half of the memory limit in whole chunks of 128 MiB (the server would round *up* to
 * them, beyond the limit), 128 MiB without a limit.
 */
const bufferPoolSize = ({ spec }: MySQL): number => {
  const limit = parseQuantity(String(spec.resources?.limits?.memory ?? ''))
  if (limit === undefined) return bufferPoolChunk
  const half = Number(limit / 1000n) / 2
  const unit = half >= bufferPoolChunk ? bufferPoolChunk : mebi
  return Math.max(Math.floor(half / unit) * unit, smallestBufferPool)
}

/** Options whose defaults were other ones, or whose names were, before 8.0. */
const seriesOptions = (mysql: MySQL): string[] => {
  const version = versionOf(mysql.spec.image)
  if (version !== undefined && isOlder(version, { major: 8, minor: 0 }))
    return ['character_set_server = utf8mb4', 'expire_logs_days = 1']
  return [`binlog_expire_logs_seconds = ${binlogSeconds}`]
}

/**
 * my.cnf. No acknowledged write may be lost: redo log and binary log are synced at each commit. The server writes its
 * log to stderr, which is what `kubectl logs` shows.
 */
export const myCnf = (mysql: MySQL): string => {
  const lines = [
    '[mysqld]',
    `datadir = ${paths.data}/data`,
    `socket = ${paths.run}/mysqld.sock`,
    `pid_file = ${paths.run}/mysqld.pid`,
    `tmpdir = ${paths.tmp}`,
    'port = 3306',
    'skip_name_resolve = ON',
    'loose_mysqlx = OFF',
    // No statement reads or writes files of the server.
    'secure_file_priv = NULL',
    'innodb_flush_log_at_trx_commit = 1',
    'sync_binlog = 1',
    'server_id = 1',
    'log_bin = binlog',
    'max_binlog_size = 64M',
    ...seriesOptions(mysql),
    `innodb_buffer_pool_size = ${bufferPoolSize(mysql)}`,
  ]
  return `${lines.join('\n')}\n`
}

/** Hash of my.cnf for the pod template: the pod is replaced exactly when the file differs. */
export const myCnfHash = (mysql: MySQL): string =>
  createHash('sha256').update(myCnf(mysql)).digest('hex').slice(0, 16)
