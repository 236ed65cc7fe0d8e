import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { binariesFolder } from './binaries.ts'
import { findMachine, inNetwork } from './machine.ts'
import { findCommand } from './packages.ts'
import { stateFolder } from './paths.ts'
import { type Result, type RunOptions, run } from './processes.ts'

/** A cluster that answers, and the ways to use it. */
export type Cluster = {
  readonly name: string
  /** File whose current context is this cluster. */
  readonly kubeconfig: string
  /** The kube context, when the cluster is not ours. */
  readonly context?: string
  /** Folder with logs, audit.log and volumes, when the cluster is ours. */
  readonly stateDir?: string
  /** Starts a command in the cluster's network, with KUBECONFIG set and kubectl and helm on PATH. */
  spawn(command: string, args: string[], options?: SpawnOptions): ChildProcess
  /** The same, to its end; with an exit code other than 0 it rejects unless allowFailure is set. */
  run(command: string, args: string[], options?: RunOptions): Promise<Result>
  /** Runs kubectl and returns its standard output. */
  kubectl(...args: string[]): Promise<string>
  /** `kubectl apply` of YAML text, of one object, or of several; returns its standard output. */
  apply(manifest: string | object | object[]): Promise<string>
}

/** A cluster of this machine that is up, whatever the health of its parts; undefined when it is not. */
export function localCluster(name: string): Cluster | undefined {
  const stateDir = stateFolder(name)
  const machine = findMachine(stateDir)
  if (!machine) return undefined
  return cluster({
    name,
    kubeconfig: join(stateDir, 'pki/admin.kubeconfig'),
    stateDir,
    path: [binariesFolder(), process.env.PATH ?? ''],
    wrap: (command, args) => inNetwork(machine, command, ...args),
  })
}

/** Any cluster that a context of the user's own kubeconfig names. Rejects when it does not answer. */
export async function foreignCluster(name: string, context: string): Promise<Cluster> {
  const path = [process.env.PATH ?? '', binariesFolder()]
  if (!findCommand('kubectl', path)) {
    throw new Error(
      'kubectl is not on PATH: install it (https://kubernetes.io/docs/tasks/tools) and try again',
    )
  }
  const env = { ...process.env, PATH: path.join(delimiter) }
  const args = ['config', 'view', '--minify', '--flatten', '--raw', `--context=${context}`]
  const view = await run('kubectl', args, { env, allowFailure: true })
  if (view.code !== 0) {
    throw new Error(
      `no kube context "${context}": ${view.stderr.trim()}. 'kubectl config get-contexts' lists them`,
    )
  }
  const folder = mkdtempSync(join(tmpdir(), 'mysql-operator-context-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const kubeconfig = join(folder, 'kubeconfig')
  writeFileSync(kubeconfig, view.stdout, { mode: 0o600 })
  const foreign = cluster({ name, kubeconfig, context, path, wrap: (command, rest) => [command, ...rest] })
  const answer = await foreign.run('kubectl', ['get', '--raw=/readyz', '--request-timeout=15s'], {
    allowFailure: true,
  })
  if (answer.code !== 0) {
    throw new Error(`the cluster of context "${context}" does not answer: ${answer.stderr.trim()}`)
  }
  return foreign
}

type Parts = Pick<Cluster, 'name' | 'kubeconfig' | 'context' | 'stateDir'> & {
  path: string[]
  wrap: (command: string, args: string[]) => string[]
}

function cluster({ path, wrap, ...known }: Parts): Cluster {
  const env = { ...process.env, KUBECONFIG: known.kubeconfig, PATH: path.join(delimiter) }
  const self: Cluster = {
    ...known,
    spawn(command, args, options = {}) {
      const [first = '', ...rest] = wrap(command, args)
      return spawn(first, rest, { ...options, env: { ...env, ...options.env } })
    },
    run(command, args, options = {}) {
      const [first = '', ...rest] = wrap(command, args)
      return run(first, rest, { ...options, env: { ...env, ...options.env } })
    },
    async kubectl(...args) {
      return (await self.run('kubectl', args)).stdout
    },
    async apply(manifest) {
      const input = typeof manifest === 'string' ? manifest : JSON.stringify(asList(manifest))
      return (await self.run('kubectl', ['apply', '-f', '-'], { input })).stdout
    },
  }
  return self
}

function asList(manifest: object | object[]): object {
  return Array.isArray(manifest) ? { apiVersion: 'v1', kind: 'List', items: manifest } : manifest
}
