/** What does not last and could show a password: command lines and environments of processes, logs of containers. */
import { readdirSync, statSync } from 'node:fs'
import { relative } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from '../access.ts'
import { contentOf, filesBelow, folderOf } from './places.ts'
import type { Content } from './survey.ts'

/** Everything that was seen, each once. */
interface Seen {
  commandLines: Set<string>
  environments: Set<string>
  /** By file; a log only grows. */
  logs: Map<string, Buffer>
}

const lookAtProcesses = ({ commandLines, environments }: Seen) => {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    commandLines.add(contentOf(`/proc/${pid}/cmdline`).toString('latin1'))
    environments.add(contentOf(`/proc/${pid}/environ`).toString('latin1'))
  }
}

/** The kubelet removes logs together with their pods, so each is read again as soon as it has grown. */
const lookAtLogs = ({ logs }: Seen, folder: string) => {
  for (const file of filesBelow(folder)) {
    const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0
    if (size > (logs.get(file)?.length ?? 0)) logs.set(file, contentOf(file))
  }
}

/** `log of NAMESPACE_POD/CONTAINER`, out of `NAMESPACE_POD_UID/CONTAINER/0.log`. */
const logPlace = (folder: string, file: string) =>
  `log of ${relative(folder, file).replace(/_[^_/]*(\/[^/]*)\/[^/]*$/, '$1')}`

function* contentsOf({ commandLines, environments, logs }: Seen, folder: string): Generator<Content> {
  for (const bytes of commandLines) yield { kind: 'command line', bytes }
  for (const bytes of environments) yield { kind: 'environment', bytes }
  for (const [file, bytes] of logs) yield { kind: 'container logs', place: logPlace(folder, file), bytes }
}

/**
 * Looks again and again at all processes of this machine and at the containers' logs, until it is stopped. Answers how often
 * it looked, and all that it saw.
 */
export const watchPassing = (cluster: Cluster) => {
  const folder = folderOf(cluster, 'kubelet/pod-logs')
  const seen: Seen = { commandLines: new Set(), environments: new Set(), logs: new Map() }
  let stopped = false
  let looks = 0
  const loop = async () => {
    while (!stopped) {
      lookAtProcesses(seen)
      lookAtLogs(seen, folder)
      looks += 1
      await sleep(50)
    }
  }
  const done = loop()
  return async (): Promise<{ looks: number; contents: Iterable<Content> }> => {
    stopped = true
    await done
    return { looks, contents: contentsOf(seen, folder) }
  }
}
