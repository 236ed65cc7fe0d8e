import { join } from 'node:path'
import { inMachine, inNetwork, type Machine } from './machine.ts'
import { assertRunning, type Daemon, run, startDaemon, waitUntil } from './processes.ts'

/** What every component is started with. */
export type Site = {
  name: string
  machine: Machine
  stateDir: string
  /** Folder of the binaries built here. */
  binaries: string
}

/** One process of the cluster. */
export type Component = {
  name: string
  command: string[]
  /** URL, seen from the node, that answers 200 when the component works; without one it only has to run. */
  health?: string
  env?: NodeJS.ProcessEnv
}

/** Starts a component in the machine; its output goes to `logs/NAME.log` in the state folder. */
export function start(site: Site, component: Component): Daemon {
  const [command = '', ...args] = inMachine(site.machine, ...component.command)
  const logFile = join(site.stateDir, 'logs', `${component.name}.log`)
  return startDaemon(component.name, logFile, command, args, { ...process.env, ...component.env })
}

/** Starts a component and waits until it is healthy. */
export async function startHealthy(site: Site, component: Component): Promise<void> {
  const daemon = start(site, component)
  await waitUntil(`${component.name} is healthy (see ${daemon.logFile})`, 120, () => {
    assertRunning(daemon)
    return isHealthy(site.machine, component)
  })
  assertRunning(daemon)
}

/** Whether a component answers on its health URL; one without such a URL counts as healthy. */
export async function isHealthy(machine: Machine, component: Component): Promise<boolean> {
  if (component.health === undefined) return true
  const [command = '', ...args] = inNetwork(machine, 'curl', '-skf', '--max-time', '3', component.health)
  const { code } = await run(command, args, { allowFailure: true })
  return code === 0
}
