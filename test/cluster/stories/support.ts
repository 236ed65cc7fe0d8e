/** What every story needs: a namespace of its own, a MySQL in it, SQL as one of its accounts, and waiting for things. */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { inject, onTestFinished } from 'vitest'
import type { MySQL } from '../../../src/api/mysql.ts'
import { apiVersion } from '../../../src/api/names.ts'
import type { MySQLSpec } from '../../../src/api/schema.ts'
import { type Cluster, foreignCluster, localCluster } from '../access.ts'
import { restrictedNamespace } from '../install.ts'

/** The cluster, of those that the set-up brought up, on which this story file runs. */
export const theCluster = async (): Promise<Cluster> => {
  const { names, context } = inject('cluster')
  // From 1 to the number of files that run at once, and of no two that do the same.
  const name = names[Number(process.env.VITEST_POOL_ID) - 1]
  if (name === undefined) throw new Error(`no cluster for worker ${process.env.VITEST_POOL_ID}`)
  const cluster = context === undefined ? localCluster(name) : await foreignCluster(name, context)
  if (!cluster) throw new Error(`cluster ${name} went away during the tests`)
  return cluster
}

/** A password that is nowhere else, so that finding it means that it leaked. */
export const uniquePassword = () => `Pw-${randomBytes(9).toString('hex')}`

/** The spec as a person writes it. */
export type Written = { database: string } & { [K in keyof MySQLSpec]?: unknown } & Record<string, unknown>

export const mysql = (namespace: string, name: string, spec: Written) => ({
  apiVersion,
  kind: 'MySQL',
  metadata: { name, namespace },
  spec,
})

/** A namespace with Pod Security `restricted`, and kubectl in it. */
export interface Space {
  cluster: Cluster
  namespace: string
  kubectl(...args: string[]): Promise<string>
  /** kubectl that may fail: its exit code and both outputs. */
  attempt(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }>
  /** `kubectl apply` of a MySQL; rejects if it is refused. */
  apply(name: string, spec: Written): Promise<string>
  /** The MySQL as it is now, or undefined. */
  get(name: string): Promise<MySQL | undefined>
}

/** Makes a namespace for one test and removes it, with everything in it, when the test ends. */
export const space = async (cluster: Cluster, prefix: string): Promise<Space> => {
  const place = await openSpace(cluster, prefix)
  onTestFinished(() => closeSpace(place))
  return place
}

/** Makes a namespace for several tests that build on each other: for a beforeAll, followed by `closeSpace` in an afterAll. */
export const openSpace = async (cluster: Cluster, prefix: string): Promise<Space> => {
  const namespace = `${prefix}-${randomBytes(3).toString('hex')}`
  await cluster.apply(restrictedNamespace(namespace))
  await cluster.kubectl('-n', namespace, 'wait', '--for=create', 'serviceaccount/default', '--timeout=30s')
  return inNamespace(cluster, namespace)
}

/** Removes the namespace, with everything in it; does not wait for its end. */
export const closeSpace = async ({ cluster, namespace }: Space): Promise<void> => {
  await cluster.run('kubectl', ['delete', 'namespace', namespace, '--wait=false'], { allowFailure: true })
}

/** Waits until the namespace is gone, with everything in it. */
export const namespaceGone = ({ cluster, namespace }: Space) =>
  eventually(
    `namespace ${namespace} is gone`,
    async () => (await cluster.kubectl('get', 'namespace', namespace, '--ignore-not-found')) === '',
    180,
  )

/** kubectl and MySQL in a namespace that somebody else made and removes. */
export const inNamespace = (cluster: Cluster, namespace: string): Space => {
  const kubectl = (...args: string[]) => cluster.kubectl('-n', namespace, ...args)
  return {
    cluster,
    namespace,
    kubectl,
    attempt: (...args) => cluster.run('kubectl', ['-n', namespace, ...args], { allowFailure: true }),
    apply: (name, spec) => cluster.apply(mysql(namespace, name, spec)),
    get: async (name) => {
      const text = await kubectl('get', 'mysql', name, '--ignore-not-found', '-o', 'json')
      return text === '' ? undefined : (JSON.parse(text) as MySQL)
    },
  }
}

/** Polls until `probe` answers something other than undefined or false; fails with `what` after `seconds`. */
export const eventually = async <T>(
  what: string,
  probe: () => Promise<T | undefined | false>,
  seconds = 90,
): Promise<T> => {
  const end = Date.now() + seconds * 1000
  let last: unknown
  while (Date.now() < end) {
    try {
      const answer = await probe()
      if (answer !== undefined && answer !== false) return answer
    } catch (error) {
      last = error
    }
    await sleep(250)
  }
  throw new Error(`after ${seconds} s still not: ${what}`, { cause: last })
}

/** Waits until the condition has that status and reason, if one is given; answers the whole resource. */
export const condition = (
  place: Space,
  name: string,
  type: string,
  status: string,
  reason?: string,
  // A bound for the slowest machine, not what it takes.
  seconds = 240,
): Promise<MySQL> =>
  eventually(
    `${type}=${status}${reason === undefined ? '' : ` (${reason})`} of ${name}`,
    async () => {
      const found = await place.get(name)
      const condition = found?.status?.conditions?.find((one) => one.type === type)
      const current = found?.status?.observedGeneration === found?.metadata.generation
      return (
        current && condition?.status === status && (reason ?? condition.reason) === condition.reason && found
      )
    },
    seconds,
  )

export const ready = (place: Space, name: string, seconds?: number) =>
  condition(place, name, 'Ready', 'True', undefined, seconds)

/** Waits until the resource is gone. */
export const gone = (place: Space, name: string, seconds = 120) =>
  eventually(`${name} is gone`, async () => (await place.get(name)) === undefined, seconds)

/** Who logs in. Without TLS the client encrypts the password with the server's RSA key. */
export interface Login {
  user: string
  password: string
  tls?: false
}

/**
 * SQL over TCP, with TLS unless told otherwise, as one account, run by a client inside the server's pod. The password
 * goes in on standard input, so that a search for it does not find the test's own command line.
 */
export const sql = async (
  place: Space,
  name: string,
  login: Login,
  statements: string,
): Promise<{ code: number; stdout: string; stderr: string }> => {
  const script =
    'IFS= read -r -d "" options; exec mysql --defaults-extra-file=<(printf %s "$options") --protocol=TCP -h 127.0.0.1 -N -B'
  const quoted = login.password.replaceAll('\\', '\\\\').replaceAll('"', '\\"')
  const way = login.tls === false ? 'ssl-mode=DISABLED\nget-server-public-key' : 'ssl-mode=REQUIRED'
  const options = `[client]\nuser=${login.user}\npassword="${quoted}"\n${way}\n`
  const args = ['-n', place.namespace, 'exec', '-i', `${name}-0`, '-c', 'mysql', '--', 'bash', '-c', script]
  return place.cluster.run('kubectl', args, { input: `${options}\0${statements}`, allowFailure: true })
}

/** The same, rejecting on an error of the server; answers the rows, tabs between columns. */
export const query = async (...args: Parameters<typeof sql>): Promise<string> => {
  const { code, stdout, stderr } = await sql(...args)
  if (code !== 0) throw new Error(`SQL failed: ${stderr.trim()}`)
  return stdout.trim()
}

/** The audit log's entries of the operator's own service account; on clusters of this machine only. */
export interface AuditEntry {
  verb: string
  user: { username: string }
  userAgent?: string
  objectRef?: { resource: string; subresource?: string; namespace?: string; name?: string }
  responseStatus?: { code: number }
  requestReceivedTimestamp: string
  stage: string
}
