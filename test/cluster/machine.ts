import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { basename, join } from 'node:path'
import { assertRunning, run, startDaemon, waitUntil } from './processes.ts'

/**
 * The machine that a cluster believes it runs on: a process and its own PID, mount and network namespaces.
 * Everything of the cluster is started inside, containers included, so that killing this one process makes the
 * kernel kill all others and drop every mount and network device; nothing can be forgotten.
 */
export type Machine = { pid: number; stateDir: string }

/** Finds a cluster's machine by its command line, which names the cluster's state folder. */
export function findMachine(stateDir: string): Machine | undefined {
  const pid = processIds().find((candidate) => {
    const [command, flag, folder, ...more] = commandLine(candidate)
    return (
      basename(command ?? '') === 'pause' && flag === '--machine' && folder === stateDir && more.length === 0
    )
  })
  return pid === undefined ? undefined : { pid, stateDir }
}

// Some paths are fixed in containerd and in the CNI plugins: each machine gets its own of these.
const script = `
  mount --make-rshared /
  for folder in /run/containerd /run/netns /var/lib/cni; do
    mkdir -p "$folder"
    mount -t tmpfs tmpfs "$folder"
  done
  exec "$0" --machine "$1"`

/** Starts an empty machine. */
export async function startMachine(stateDir: string, pauseBinary: string): Promise<Machine> {
  const namespaces = ['--fork', '--kill-child', '--pid', '--mount-proc', '--mount', '--net']
  const daemon = startDaemon('the machine', join(stateDir, 'logs/machine.log'), 'unshare', [
    ...namespaces,
    'sh',
    '-euc',
    script,
    pauseBinary,
    stateDir,
  ])
  await waitUntil('the namespaces exist', 20, () => {
    assertRunning(daemon)
    return findMachine(stateDir) !== undefined
  })
  return findMachine(stateDir) as Machine
}

/** The command that runs another one wholly inside the machine. */
export function inMachine(machine: Machine, ...command: string[]): string[] {
  return ['nsenter', `--target=${machine.pid}`, '--mount', '--net', '--pid', '--wd=/', '--', ...command]
}

/** The command that runs another one in the machine's network only, with the files of the outside. */
export function inNetwork(machine: Machine, ...command: string[]): string[] {
  return ['nsenter', `--net=/proc/${machine.pid}/ns/net`, '--', ...command]
}

/**
 * Kills the machine with all that runs in it, and whoever was in its network from outside.
 * @returns a function that says which processes are still in its namespaces
 */
export async function stopMachine(machine: Machine): Promise<() => number[]> {
  const own = namespacesOf(process.pid)
  const namespaces = namespacesOf(machine.pid).filter((namespace) => !own.includes(namespace))
  const members = () =>
    processIds().filter((pid) => namespacesOf(pid).some((namespace) => namespaces.includes(namespace)))
  kill(machine.pid)
  await waitUntil(`process ${machine.pid} has ended`, 60, () => findMachine(machine.stateDir) === undefined)
  members().forEach(kill)
  return members
}

/** Mounts below a folder that this process sees. */
export function mountsBelow(folder: string): string[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((mountPoint) => mountPoint.startsWith(`${folder}/`))
}

/** Whether a process with exactly this command line runs in the machine. */
export function runsInMachine(machine: Machine, command: string[]): boolean {
  const [, mount] = namespacesOf(machine.pid)
  const wanted = command.join('\0')
  return processIds().some((pid) => commandLine(pid).join('\0') === wanted && namespacesOf(pid)[1] === mount)
}

/** Runs a shell script in the machine. */
export async function scriptInMachine(machine: Machine, text: string): Promise<void> {
  const [command = '', ...args] = inMachine(machine, 'sh', '-euc', text)
  await run(command, args)
}

function processIds(): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid)
}

function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1)
  } catch {
    return [] // it has ended meanwhile
  }
}

function namespacesOf(pid: number): string[] {
  return ['net', 'mnt', 'pid'].flatMap((kind) => {
    try {
      return [readlinkSync(`/proc/${pid}/ns/${kind}`)]
    } catch {
      return [] // it has ended meanwhile
    }
  })
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
