/**
 * What dump, restore and verification cost beside the plain pipes that they are built on, on a real server without a cluster:
 *
 *   node bench/dumps.ts [--megabytes 1000] [--runs 3]
 *
 * Prints seconds, MB/s of SQL, the ratio to the plain pipe of the same run, and the memory of the Job's processes. Needs root
 * on Linux, and 5 times that room in the folder for temporary files. The data are sysbench's.
 */
import { readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { run } from '../test/cluster/processes.ts'
import { progressLog } from '../test/cluster/progress.ts'
import type { Container, Ended } from '../test/mysql/container.ts'
import { Instance } from '../test/mysql/instance.ts'
import { sysbench } from '../test/mysql/samples.ts'
import { peakMemory } from './peakMemory.ts'

const { values } = parseArgs({
  options: { megabytes: { type: 'string', default: '1000' }, runs: { type: 'string', default: '3' } },
})
const [wanted, runs] = [Number(values.megabytes) * 1e6, Number(values.runs)]
const log = progressLog()

const client = '--defaults-file=/etc/mysql-operator/client/client.cnf --host="$SERVER" --protocol=TCP'
const folder = '"$BACKUPS"'
const plainDump = `set -o pipefail; mysqldump ${client} --single-transaction --quick --hex-blob --set-gtid-purged=OFF --no-tablespaces \
  --databases shop | gzip > ${folder}/plain.sql.gz`
// Without the binary log, like a restore: otherwise the plain pipe would have more to do.
const plainRestore = `set -o pipefail; gzip -dc ${folder}/plain.sql.gz | mysql ${client} --init-command='SET sql_log_bin = 0'`

/** sysbench's rows, copied until their SQL is about as long as wanted; a copy is too far away for gzip to notice. */
const fill = async (db: Instance) => {
  await db.mayLogIn('ali', 'user-password')
  const args = [
    '--mysql-host=127.0.0.1',
    '--mysql-user=ali',
    '--mysql-password=user-password',
    '--mysql-db=shop',
  ]
  const [command = '', ...rest] = db.inside(
    await sysbench('oltp_read_write', [...args, '--table-size=50000', 'prepare']),
  )
  await run(command, rest)
  const row = 200
  for (let rows = 50_000; rows * row < wanted; rows *= 2) {
    const missing = Math.min(rows, Math.ceil(wanted / row) - rows)
    const copy = `INSERT INTO shop.sbtest1 (k, c, pad) SELECT k, c, pad FROM shop.sbtest1 LIMIT ${missing}`
    await db.ask(`SET sql_log_bin = 0; ${copy}`)
  }
}

interface Sample {
  seconds: number
  bytes: number
}
const samples = new Map<string, Sample[]>()

const measure = async (what: string, start: () => Container) => {
  const begun = performance.now()
  const running = start()
  const memory = peakMemory(() => running.pid)
  const ended: Ended = await running.ended
  const sample = { seconds: (performance.now() - begun) / 1000, bytes: memory.stop() }
  if (ended.code !== 0) throw new Error(`${what} failed: ${ended.report} ${ended.stderr}`)
  samples.set(what, [...(samples.get(what) ?? []), sample])
  log(`${what}: ${sample.seconds.toFixed(1)} s, ${(sample.bytes / 1e6).toFixed(0)} MB of memory`)
}

const removeDumps = (db: Instance) => {
  for (const name of readdirSync(db.backups)) rmSync(join(db.backups, name))
}

const oneRun = async (db: Instance, turn: number) => {
  const inTurn = async (steps: (() => Promise<unknown>)[]) => {
    for (const step of turn % 2 ? steps.toReversed() : steps) await step()
  }
  removeDumps(db)
  await inTurn([
    () => measure('plain dump', () => db.shell(plainDump)),
    () => measure('dump', () => db.backingUp()),
  ])
  await db.ask('SET GLOBAL read_only = OFF')
  await inTurn([
    async () => {
      await db.ask('SET sql_log_bin = 0; DROP DATABASE shop')
      await measure('plain restore', () => db.shell(plainRestore))
    },
    async () => {
      await db.ask("DROP DATABASE shop; UPDATE mysql_operator.instance SET state = 'pending'")
      await measure('restore', () => db.restoring())
    },
    () => measure('verification', () => db.verifying('latest')),
  ])
}

const median = (numbers: number[]) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0
const spread = (numbers: number[], digits: number) =>
  `${median(numbers).toFixed(digits)} (${Math.min(...numbers).toFixed(digits)} to ${Math.max(...numbers).toFixed(digits)})`

const line = (what: string, plain: string, sql: number) => {
  const [own = [], beside = []] = [samples.get(what), samples.get(plain)]
  const seconds = own.map((sample) => sample.seconds)
  const ratios = seconds.map((value, i) => value / (beside[i]?.seconds ?? Number.NaN))
  const memory = Math.max(...own.map(({ bytes }) => bytes)) / 1e6
  const speed = sql / 1e6 / median(seconds)
  return `| ${what} | ${spread(seconds, 1)} | ${speed.toFixed(1)} | ${spread(ratios, 2)} | ${memory.toFixed(0)} |`
}

const sqlLength = async (db: Instance): Promise<number> => {
  const child = db.shell(`gzip -dc ${folder}/plain.sql.gz | wc -c`)
  return Number((await child.ended).stdout)
}

const main = async () => {
  const db = await Instance.create({ database: 'shop', storage_size: '10Gi' })
  try {
    await db.startNew()
    await db.restore({ from: 'none' })
    await fill(db)
    log('the data are there')
    for (let turn = 0; turn < runs; turn++) await oneRun(db, turn)
    const sql = await sqlLength(db)
    const packed = statSync(join(db.backups, 'plain.sql.gz')).size
    console.log(
      `${(sql / 1e6).toFixed(0)} MB of SQL, ${(packed / 1e6).toFixed(0)} MB as gzip; medians of ${runs} runs\n`,
    )
    console.log(
      '| what | seconds | MB/s | times the plain pipe | memory, MB |\n| --- | --- | --- | --- | --- |',
    )
    for (const [what, plain] of [
      ['plain dump', 'plain dump'],
      ['dump', 'plain dump'],
      ['plain restore', 'plain restore'],
      ['restore', 'plain restore'],
      ['verification', 'plain restore'],
    ] as const)
      console.log(line(what, plain, sql))
  } finally {
    await db.remove()
  }
}

await main()
