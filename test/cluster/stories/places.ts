/** Everywhere that a password could be left on a cluster of this machine: what is stored, written and running. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import type { Cluster } from '../access.ts'
import { auditLog } from '../controlplane.ts'
import { release } from '../install.ts'
import type { Search, Trace } from './traces.ts'

const folderOf = ({ stateDir }: Cluster, name: string): string => {
  if (stateDir === undefined) throw new Error('only the disk of a cluster of this machine can be searched')
  return join(stateDir, name)
}

/** Files below a folder; what goes away meanwhile is left out. */
const filesBelow = (folder: string): string[] => {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
  } catch {
    return []
  }
}

const contentOf = (file: string): Buffer => {
  try {
    return readFileSync(file)
  } catch {
    return Buffer.alloc(0) // it went away meanwhile
  }
}

/** Larger files are read piece by piece, with an overlap that no form of a secret exceeds. */
const piece = 64 * 2 ** 20
const overlap = 512

const inBytes = (search: Search, place: string, bytes: Buffer): Trace[] => {
  const found: Trace[] = []
  for (let at = 0; at < bytes.length; at += piece) {
    found.push(...search(place, bytes.subarray(Math.max(0, at - overlap), at + piece)))
  }
  return found
}

const inFile = (search: Search, place: string, file: string): Trace[] => {
  const bytes = contentOf(file)
  const plain = file.endsWith('.gz') && bytes.length > 0 ? gunzipSync(bytes) : bytes
  return inBytes(search, place, plain)
}

const range = `
fetch('http://127.0.0.1:2379/v3/kv/range', { method: 'POST', body: '{"key":"AA==","range_end":"AA=="}' })
  .then((answer) => answer.text()).then((text) => process.stdout.write(text))`

/** Every key and value that etcd has now. */
const inEtcd = async (cluster: Cluster, search: Search): Promise<Trace[]> => {
  const { stdout } = await cluster.run(process.execPath, ['-e', range])
  const { kvs } = JSON.parse(stdout) as { kvs: { key: string; value: string }[] }
  return kvs.flatMap(({ key, value }) => {
    const name = Buffer.from(key, 'base64')
    return search(`etcd ${name.toString('utf8')}`, Buffer.concat([name, Buffer.from(value, 'base64')]))
  })
}

/** What etcd has had: its files hold former values and deleted keys too. */
const inHistory = (cluster: Cluster, search: Search): Trace[] =>
  filesBelow(folderOf(cluster, 'etcd')).flatMap((file) => inFile(search, 'etcd files', file))

/** Every object of both namespaces as kubectl shows it, with managedFields; Events are among them. */
const inObjects = async (cluster: Cluster, namespace: string, search: Search): Promise<Trace[]> => {
  const kinds = await cluster.kubectl('api-resources', '--namespaced', '--verbs=list', '-o', 'name')
  const list = kinds.split('\n').filter(Boolean).join(',')
  const found = await Promise.all(
    [namespace, release].map(async (one) => {
      const args = ['-n', one, 'get', list, '--show-managed-fields', '-o', 'json']
      const { items } = JSON.parse(await cluster.kubectl(...args)) as {
        items: { kind: string; metadata: { name: string } }[]
      }
      return items.flatMap((item) =>
        search(`object ${item.kind}/${item.metadata.name}`, JSON.stringify(item)),
      )
    }),
  )
  return found.flat()
}

const inAuditLog = (cluster: Cluster, search: Search): Trace[] =>
  inFile(search, 'audit log', auditLog({ stateDir: folderOf(cluster, '') }))

/** What the parts of the cluster itself write: the API server, the kubelet and the others. */
const inComponentLogs = (cluster: Cluster, search: Search): Trace[] =>
  filesBelow(folderOf(cluster, 'logs')).flatMap((file) => inFile(search, 'component logs', file))

/** Every file of the namespace's volumes: data, redo and binary logs, and the dumps, unpacked. */
const inVolumes = (cluster: Cluster, namespace: string, search: Search): Trace[] => {
  const folder = folderOf(cluster, 'volumes')
  return filesBelow(folder)
    .filter((file) => relative(folder, file).includes(`_${namespace}_`))
    .flatMap((file) => inFile(search, `volume ${file.endsWith('.gz') ? 'dump' : 'file'}`, file))
}

/** All places that last, one after the other. */
export const searchEverywhere = async (
  cluster: Cluster,
  namespace: string,
  search: Search,
): Promise<Trace[]> => [
  ...(await inEtcd(cluster, search)),
  ...inHistory(cluster, search),
  ...(await inObjects(cluster, namespace, search)),
  ...inAuditLog(cluster, search),
  ...inComponentLogs(cluster, search),
  ...inVolumes(cluster, namespace, search),
]

const processes = (search: Search): Trace[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => [
      ...search('command line', contentOf(`/proc/${pid}/cmdline`)),
      ...search('environment', contentOf(`/proc/${pid}/environ`)),
    ])

/** Logs of containers, which the kubelet removes together with their pods; each is read again when it has grown. */
const containerLogs = (cluster: Cluster, search: Search) => {
  const sizes = new Map<string, number>()
  return (): Trace[] =>
    filesBelow(folderOf(cluster, 'kubelet/pod-logs')).flatMap((file) => {
      const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0
      if (sizes.get(file) === size) return []
      sizes.set(file, size)
      return inFile(search, 'container log', file)
    })
}

/**
 * Looks again and again at what does not last, until it is stopped: command lines and environments of all processes of
 * this machine, and the containers' logs. Answers what was found, each place once, and how often it looked.
 */
export const watchProcesses = (cluster: Cluster, search: Search) => {
  const found = new Map<string, Trace>()
  const logs = containerLogs(cluster, search)
  let stopped = false
  let looks = 0
  const loop = async () => {
    while (!stopped) {
      for (const trace of [...processes(search), ...logs()])
        found.set(`${trace.secret} ${trace.place}`, trace)
      looks += 1
      await sleep(50)
    }
  }
  const done = loop()
  return async (): Promise<{ found: Trace[]; looks: number }> => {
    stopped = true
    await done
    return { found: [...found.values()], looks }
  }
}
