import { createHash } from 'node:crypto'
import { existsSync, globSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { withLock } from './lock.ts'
import { findCommand } from './packages.ts'
import { cacheFolder } from './paths.ts'
import { run } from './processes.ts'
import type { Log } from './progress.ts'

/** The Kubernetes that go.mod names. */
export const kubernetesVersion = 'v1.34.4'

const source = join(import.meta.dirname, 'go')
const [, major, minor] = kubernetesVersion.match(/^v(\d+)\.(\d+)\./) ?? []
const version = 'k8s.io/component-base/version'
const flags = [
  '-trimpath',
  // Nobody debugs these: leaving DWARF out of every package makes compiling cheaper, and -s -w linking.
  '-gcflags=all=-dwarf=false',
  `-ldflags=-s -w -X ${version}.gitVersion=${kubernetesVersion} -X ${version}.gitMajor=${major} -X ${version}.gitMinor=${minor}`,
]

/** The folder of the binaries that belong to the sources in `go/`, built or not. */
export function binariesFolder(): string {
  const hash = createHash('sha256').update(flags.join(' '))
  for (const file of globSync('**/*.{mod,sum,go}', { cwd: source }).sort()) {
    hash.update(file).update(readFileSync(join(source, file)))
  }
  return join(cacheFolder, 'bin', hash.digest('hex').slice(0, 16))
}

/**
 * Builds everything that `go/go.mod` names as a tool, and the commands beside it, in one go: they share
 * one set of module versions, so that each package is compiled once.
 * @returns the folder that holds the binaries
 */
export async function buildBinaries(log: Log): Promise<string> {
  const folder = binariesFolder()
  if (existsSync(folder)) return folder
  return withLock(`binaries ${cacheFolder}`, log, async () => {
    if (!existsSync(folder)) await build(folder, log)
    return folder
  })
}

async function build(folder: string, log: Log): Promise<void> {
  if (!findCommand('go')) {
    throw new Error(
      'Go 1.25 or newer is needed to build Kubernetes: https://go.dev/dl or apt-get install golang',
    )
  }
  const parent = join(folder, '..')
  const partial = `${folder}.partial`
  rmSync(parent, { recursive: true, force: true })
  mkdirSync(partial, { recursive: true })
  // GOGC: the compiler's own garbage collection is a quarter of its work, and memory is not scarce.
  const env = { ...process.env, GOBIN: partial, CGO_ENABLED: '0', GOWORK: 'off', GOGC: '400' }
  const go = (args: string[], onStderrLine?: (line: string) => void) =>
    run('go', args, { cwd: source, env, ...(onStderrLine ? { onStderrLine } : {}) })

  log(`downloading the modules of Kubernetes ${kubernetesVersion}`)
  const { stdout } = await go(['list', '-deps', 'tool', './...'])
  const total = stdout.trim().split('\n').length
  log(`compiling ${total} packages`)
  let compiled = 0
  const reporter = reportBinaries(partial, log, () => `${compiled} of ${total} packages compiled`)
  try {
    await go(['install', '-v', ...flags, 'tool', './...'], () => compiled++)
  } finally {
    reporter.stop()
  }
  renameSync(join(partial, 'server'), join(partial, 'etcd'))
  renameSync(partial, folder)
}

/** Names each binary as it appears in a folder, and how far things are once in a while. */
function reportBinaries(folder: string, log: Log, progress: () => string): { stop: () => void } {
  const seen = new Set<string>()
  let ticks = 0
  const look = () => {
    for (const name of readdirSync(folder).filter((entry) => !seen.has(entry))) {
      seen.add(name)
      log(`${name === 'server' ? 'etcd' : name} built`)
    }
  }
  const timer = setInterval(() => {
    look()
    if (++ticks % 15 === 0) log(progress())
  }, 2000)
  return {
    stop: () => {
      clearInterval(timer)
      look()
    },
  }
}
