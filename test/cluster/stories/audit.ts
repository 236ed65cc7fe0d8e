/** What the operator asked of the API server, out of the audit log of a cluster of this machine. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import type { Cluster } from '../access.ts'
import { auditLog } from '../controlplane.ts'
import { release } from '../install.ts'
import type { AuditEntry } from './support.ts'

const operator = `system:serviceaccount:${release}:${release}`

const fileOf = ({ stateDir }: Cluster): string => {
  if (stateDir === undefined) throw new Error('only a cluster of this machine has an audit log')
  return auditLog({ stateDir })
}

/** The end of the log now, from which a later look starts. */
export const auditMark = (cluster: Cluster): number => {
  const file = openSync(fileOf(cluster), 'r')
  const { size } = fstatSync(file)
  closeSync(file)
  return size
}

const textSince = (cluster: Cluster, mark: number): string => {
  const file = openSync(fileOf(cluster), 'r')
  try {
    const bytes = Buffer.alloc(fstatSync(file).size - mark)
    readSync(file, bytes, 0, bytes.length, mark)
    // The last line may not be whole yet.
    return bytes.toString('utf8').slice(0, bytes.lastIndexOf('\n') + 1)
  } finally {
    closeSync(file)
  }
}

/** Every request of the operator since the mark, each once: a watch when it started, all others when they ended. */
export const requestsSince = (cluster: Cluster, mark: number): AuditEntry[] =>
  textSince(cluster, mark)
    .split('\n')
    .filter((line) => line.includes(operator))
    .map((line) => JSON.parse(line) as AuditEntry)
    .filter(({ user }) => user.username === operator)
    .filter(({ verb, stage }) => stage === (verb === 'watch' ? 'ResponseStarted' : 'ResponseComplete'))

const reviews = ['tokenreviews', 'subjectaccessreviews']

/** Whether a request asked to store something; a review is answered and forgotten. */
export const isWrite = ({ verb, objectRef }: AuditEntry): boolean =>
  !['get', 'list', 'watch'].includes(verb) && !reviews.includes(objectRef?.resource ?? '')

export const isLease = ({ objectRef }: AuditEntry): boolean => objectRef?.resource === 'leases'

/** `create statefulsets a/b`, for lists that people read. */
export const describeRequest = ({ verb, objectRef, responseStatus }: AuditEntry): string => {
  const { resource = '', subresource, namespace = '', name = '' } = objectRef ?? {}
  const kind = subresource === undefined ? resource : `${resource}/${subresource}`
  return `${verb} ${kind} ${namespace}/${name} ${responseStatus?.code ?? ''}`
}

/** How many requests of each verb and resource, most first: `['get secrets', 12]`. */
export const countRequests = (requests: readonly AuditEntry[]): [string, number][] => {
  const counts = new Map<string, number>()
  for (const { verb, objectRef } of requests) {
    const { resource = 'other', subresource } = objectRef ?? {}
    const key = `${verb} ${subresource === undefined ? resource : `${resource}/${subresource}`}`
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return [...counts].sort(([a, n], [b, m]) => m - n || a.localeCompare(b))
}
