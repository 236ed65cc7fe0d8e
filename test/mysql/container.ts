import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Container as ContainerSpec } from '../../src/desired/pod.ts'
import type { Node } from './node.ts'

const uid = 999
const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Where a volume of the pod is on this machine. */
export type VolumeFolders = Record<string, string>

export interface ContainerInputs {
  node: Node
  rootfs: string
  /** A folder for everything of this container. */
  folder: string
  spec: ContainerSpec
  volumes: VolumeFolders
  podUid: string
  /** Names that lead to 127.0.0.1. */
  hosts: string[]
}

export interface Ended {
  code: number
  /** What it wrote into the termination log. */
  report: string
  stdout: string
  stderr: string
}

const environment = (spec: ContainerSpec, podUid: string): string[] => [
  `PATH=${path}`,
  ...(spec.env ?? []).map(({ name, value, valueFrom }) => {
    if (valueFrom?.fieldRef?.fieldPath === 'metadata.uid') return `${name}=${podUid}`
    return `${name}=${value ?? ''}`
  }),
]

/** A container of one of our pods, run by its own manifest: command, environment, mounts, user, read-only root. */
export class Container {
  readonly ended: Promise<Ended>
  readonly #process: ChildProcess
  readonly #inputs: ContainerInputs
  readonly #work: string
  #output = ''
  #hasEnded = false

  constructor(inputs: ContainerInputs) {
    const { node, rootfs, folder, spec, volumes, podUid, hosts } = inputs
    this.#inputs = inputs
    this.#work = mkdtempSync(join(folder, `${spec.name}-`))
    chmodSync(this.#work, 0o755)
    for (const name of ['upper/etc', 'workdir', 'root'])
      mkdirSync(join(this.#work, name), { recursive: true })
    writeFileSync(join(this.#work, 'upper/etc/hosts'), `127.0.0.1 localhost ${hosts.join(' ')}\n`)
    writeFileSync(join(this.#work, 'termination-log'), '')
    chmodSync(join(this.#work, 'termination-log'), 0o666)
    const mounts = (spec.volumeMounts ?? []).map(
      ({ name, mountPath, readOnly }) => `${readOnly ? 'ro' : 'rw'} ${volumes[name]} ${mountPath}\n`,
    )
    writeFileSync(join(this.#work, 'mounts'), mounts.join(''))
    writeFileSync(join(this.#work, 'env'), environment(spec, podUid).join('\0'))
    const script = join(import.meta.dirname, 'container.sh')
    const command = ['bash', script, rootfs, this.#work, String(uid), ...(spec.command ?? [])]
    const [program = '', ...args] = node.inside([
      'unshare',
      '--mount',
      '--pid',
      '--fork',
      '--kill-child',
      ...command,
    ])
    this.#process = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.ended = this.#run()
  }

  /** Everything it has written so far. */
  get output(): string {
    return this.#output
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  get report(): string {
    return readFileSync(join(this.#work, 'termination-log'), 'utf8')
  }

  /** The container's process 1, as this machine numbers it; undefined once it has ended. */
  get pid(): number | undefined {
    let pid = this.#process.pid
    // nsenter and unshare each have one child.
    for (let generation = 0; generation < 2 && pid !== undefined; generation++) pid = onlyChild(pid)
    return pid
  }

  /** Signals process 1 and waits for the end. */
  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<Ended> {
    await until('the container to start', () => this.#hasEnded || this.pid !== undefined)
    const { pid } = this
    if (pid !== undefined) process.kill(pid, signal)
    return this.ended
  }

  /** Runs a command inside, as `kubectl exec` and probes do. */
  exec(command: string[], input = ''): Promise<{ code: number; stdout: string; stderr: string }> {
    const { pid } = this
    if (pid === undefined)
      return Promise.resolve({ code: 127, stdout: '', stderr: 'the container does not run' })
    const env = environment(this.#inputs.spec, this.#inputs.podUid)
    const user = ['--setuid', String(uid), '--setgid', String(uid)]
    const enter = ['--target', String(pid), '--mount', '--pid', '--net', '--root', '--wd']
    const child = spawn('nsenter', [...enter, ...user, '--', 'env', '-i', ...env, ...command])
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
    return collect(child)
  }

  async #run(): Promise<Ended> {
    const listen = (chunk: Buffer) => {
      this.#output += chunk.toString()
    }
    this.#process.stdout?.on('data', listen)
    this.#process.stderr?.on('data', listen)
    const result = await collect(this.#process)
    this.#hasEnded = true
    return { ...result, report: this.report }
  }
}

const onlyChild = (pid: number): number | undefined => {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
    return children === '' ? undefined : Number(children.split(' ')[0])
  } catch {
    // Ended in between, which is what undefined says.
    return undefined
  }
}

const collect = (child: ChildProcess) =>
  new Promise<{ code: number; stdout: string; stderr: string }>((resolve, reject) => {
    let stdout = ''
    let stderr = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      stdout += chunk.toString()
    })
    child.stderr?.on('data', (chunk: Buffer) => {
      stderr += chunk.toString()
    })
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code: code ?? (signal ? 137 : 1), stdout, stderr }))
  })

/** Waits until `condition` holds; fails with what was waited for after `seconds`. */
export const until = async (what: string, condition: () => boolean | Promise<boolean>, seconds = 60) => {
  const deadline = Date.now() + seconds * 1000
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited ${seconds} s for: ${what}`)
    await sleep(50)
  }
}

/** A folder as a volume that pods of ours may write to. */
export const volumeFolder = (folder: string): string => {
  mkdirSync(folder, { recursive: true })
  chownSync(folder, uid, uid)
  return folder
}

/** A folder with files that pods of ours may read, as a Secret or a ConfigMap is mounted. */
export const filesFolder = (folder: string, files: Record<string, Buffer | string>): string => {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(folder, name), content)
    chmodSync(join(folder, name), 0o440)
    chownSync(join(folder, name), 0, uid)
  }
  return folder
}
