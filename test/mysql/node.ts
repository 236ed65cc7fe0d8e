import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

/**
 * A network and a pid namespace of its own, with nothing but a loopback device: port 3306 is free in each of them. It
 * ends, with everything that runs in it, when this process does.
 */
export class Node {
  readonly #holder: ChildProcess

  private constructor(holder: ChildProcess) {
    this.#holder = holder
  }

  static async start(): Promise<Node> {
    const script = 'ip link set lo up && echo up && exec cat'
    const holder = spawn('unshare', ['--net', '--pid', '--fork', '--kill-child', 'sh', '-c', script])
    await once(holder.stdout, 'data')
    return new Node(holder)
  }

  /** The command line that runs `command` in it. */
  inside(command: string[]): string[] {
    return [
      'nsenter',
      `--net=/proc/${this.#holder.pid}/ns/net`,
      `--pid=/proc/${this.#holder.pid}/ns/pid_for_children`,
      ...command,
    ]
  }

  async stop(): Promise<void> {
    if (this.#holder.exitCode !== null || this.#holder.signalCode !== null) return
    const gone = once(this.#holder, 'exit')
    this.#holder.stdin?.end()
    await gone
  }
}
