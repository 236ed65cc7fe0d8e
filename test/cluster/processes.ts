import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

export type Result = { code: number; stdout: string; stderr: string }

export type RunOptions = {
  /** What the command reads on its standard input; without it that is empty. */
  input?: string | Buffer
  /** With true, an exit code other than 0 is an answer and no error. */
  allowFailure?: boolean
  env?: NodeJS.ProcessEnv
  cwd?: string
  /** Called for every line on stderr as it comes. */
  onStderrLine?: (line: string) => void
}

/** Runs a command to its end. A signal that ended it counts as exit code 128 + 9. */
export async function run(command: string, args: string[], options: RunOptions = {}): Promise<Result> {
  const { input, allowFailure = false, onStderrLine, ...rest } = options
  const child = spawn(command, args, { ...rest, stdio: ['pipe', 'pipe', 'pipe'] })
  const out: Buffer[] = []
  let stderr = ''
  let line = ''
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk
    const lines = (line + chunk).split('\n')
    line = lines.pop() ?? ''
    if (onStderrLine) lines.forEach(onStderrLine)
  })
  // A command may end without having read its input (EPIPE); its exit code tells the rest.
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const code = await exitCode(child)
  const result = { code, stdout: Buffer.concat(out).toString('utf8'), stderr }
  if (code !== 0 && !allowFailure) throw commandFailed(command, args, result)
  return result
}

/** The exit code of a child, once it has ended. Rejects when it could not be started. */
export function exitCode(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve(code ?? 137))
  })
}

function commandFailed(command: string, args: string[], { code, stdout, stderr }: Result): Error {
  const shown = [command, ...args].join(' ')
  const tail = (stderr.trim() || stdout.trim()).split('\n').slice(-15).join('\n')
  return new Error(`${shown.length > 300 ? `${shown.slice(0, 300)} …` : shown}\nended with ${code}:\n${tail}`)
}

/** A process that outlives this one and writes into a file. */
export type Daemon = { name: string; logFile: string; exited: () => number | undefined }

/** Starts a process that outlives this one; both its outputs are appended to logFile. */
export function startDaemon(
  name: string,
  logFile: string,
  command: string,
  args: string[],
  env: NodeJS.ProcessEnv = process.env,
): Daemon {
  const output = openSync(logFile, 'a')
  const options: SpawnOptions = { detached: true, stdio: ['ignore', output, output], env, cwd: '/' }
  const child = spawn(command, args, options)
  closeSync(output)
  let code: number | undefined
  child.once('exit', (status) => {
    code = status ?? 137
  })
  child.once('error', () => {
    code = 127
  })
  child.unref()
  return { name, logFile, exited: () => code }
}

/** An error when the daemon has ended, with the end of what it wrote. */
export function assertRunning(daemon: Daemon): void {
  const code = daemon.exited()
  if (code === undefined) return
  const tail = readFileSync(daemon.logFile, 'utf8').trim().split('\n').slice(-12).join('\n')
  throw new Error(
    `${daemon.name} ended with ${code}; its last lines (all of them: ${daemon.logFile}):\n${tail}`,
  )
}

/** Asks again and again until the answer is yes; after timeoutSeconds an error says what was awaited. */
export async function waitUntil(
  what: string,
  timeoutSeconds: number,
  check: () => boolean | Promise<boolean>,
): Promise<void> {
  const end = Date.now() + timeoutSeconds * 1000
  while (!(await check())) {
    if (Date.now() > end) throw new Error(`gave up after ${timeoutSeconds} s waiting until ${what}`)
    await sleep(150)
  }
}
