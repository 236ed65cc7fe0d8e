/** Every place on a cluster of this machine that lasts and could hold a password: what is stored and written. */
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { Cluster } from '../access.ts'
import { auditLog } from '../controlplane.ts'
import { metricsOf } from './metrics.ts'
import type { Content } from './survey.ts'

/** A folder of the cluster on this machine's disk. */
export const folderOf = ({ stateDir }: Cluster, name: string): string => {
  if (stateDir === undefined) throw new Error('only the disk of a cluster of this machine can be searched')
  return join(stateDir, name)
}

/** Files below a folder; what goes away meanwhile is left out. */
export const filesBelow = (folder: string): string[] => {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
  } catch {
    return []
  }
}

/** What is in a file; nothing if it went away meanwhile. */
export const contentOf = (file: string): Buffer => {
  try {
    return readFileSync(file)
  } catch {
    return Buffer.alloc(0)
  }
}

const block = 64 * 2 ** 10
const empty = Buffer.alloc(block)

/** A file unpacked, and without the zeros that databases write ahead: half of all bytes, and nothing can be in them. */
const searchable = (file: string): Buffer => {
  const bytes = contentOf(file)
  const plain = file.endsWith('.gz') && bytes.length > 0 ? gunzipSync(bytes) : bytes
  const blocks = Array.from({ length: Math.ceil(plain.length / block) }, (_, i) =>
    plain.subarray(i * block, (i + 1) * block),
  )
  return Buffer.concat(blocks.filter((one) => !one.equals(empty)))
}

function* files(kind: string, paths: string[]): Generator<Content> {
  for (const path of paths) yield { kind, bytes: searchable(path) }
}

const range = `
fetch('http://127.0.0.1:2379/v3/kv/range', { method: 'POST', body: '{"key":"AA==","range_end":"AA=="}' })
  .then((answer) => answer.text()).then((text) => process.stdout.write(text))`

/** Every key and value that etcd has now. */
async function* inEtcd(cluster: Cluster): AsyncGenerator<Content> {
  const { stdout } = await cluster.run(process.execPath, ['-e', range])
  const { kvs } = JSON.parse(stdout) as { kvs: { key: string; value: string }[] }
  for (const { key, value } of kvs) {
    const name = Buffer.from(key, 'base64')
    const bytes = Buffer.concat([name, Buffer.from(value, 'base64')])
    yield { kind: 'etcd keys', place: `etcd ${name.toString('utf8')}`, bytes }
  }
}

/** Every object of every type as kubectl shows it, with managedFields; Events are among them. */
async function* inObjects(cluster: Cluster): AsyncGenerator<Content> {
  const types = await cluster.kubectl('api-resources', '--verbs=list', '-o', 'name')
  const list = types.split('\n').filter(Boolean).join(',')
  const yaml = await cluster.kubectl('get', list, '-A', '--show-managed-fields', '-o', 'yaml')
  for (const bytes of yaml.split(/^- (?=apiVersion:)/m)) {
    const kind = /^ {2}kind: (\S+)$/m.exec(bytes)?.[1]
    const name = /^ {4}name: (\S+)$/m.exec(bytes)?.[1]
    yield {
      kind: kind === 'Event' ? 'Events (YAML)' : 'objects (YAML)',
      place: `object ${kind}/${name}`,
      bytes,
    }
  }
}

const volumeKind = (file: string): string => {
  const name = basename(file)
  if (name.endsWith('.gz')) return 'volume dump'
  if (/^binlog\.\d+$/.test(name)) return 'volume binary log'
  if (name.endsWith('-slow.log')) return 'volume slow log'
  return name.endsWith('.log') ? 'volume general log' : 'volume data'
}

/** Every file of the namespace's volumes: tables, redo log, the server's logs, and the dumps. */
function* inVolumes(cluster: Cluster, namespace: string): Generator<Content> {
  const folder = folderOf(cluster, 'volumes')
  const all = filesBelow(folder).filter((file) => relative(folder, file).includes(`_${namespace}_`))
  for (const file of all) yield* files(volumeKind(file), [file])
}

/** What the kubelet keeps of pods beside their logs: volumes of their own, and the messages with which containers ended. */
const kubeletFiles = (cluster: Cluster) => filesBelow(folderOf(cluster, 'kubelet/pods'))

async function* inMetrics(cluster: Cluster): AsyncGenerator<Content> {
  for (const bytes of await metricsOf(cluster)) yield { kind: 'metrics', bytes }
}

/** All places that last, one after the other. */
export async function* lastingPlaces(cluster: Cluster, namespace: string): AsyncGenerator<Content> {
  yield* inEtcd(cluster)
  // Former values and deleted keys too.
  yield* files('etcd files', filesBelow(folderOf(cluster, 'etcd')))
  yield* inObjects(cluster)
  yield* files('audit log', [auditLog({ stateDir: folderOf(cluster, '') })])
  // What the API server, the kubelet and the others write.
  yield* files('component logs', filesBelow(folderOf(cluster, 'logs')))
  yield* files('kubelet files', kubeletFiles(cluster))
  yield* inVolumes(cluster, namespace)
  yield* inMetrics(cluster)
}
