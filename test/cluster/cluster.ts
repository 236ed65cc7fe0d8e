import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Cluster, foreignCluster, localCluster } from './access.ts'
import { coredns, localVolumes, manifests } from './addons.ts'
import { buildBinaries } from './binaries.ts'
import { cgroupFolders, createCgroup, removeCgroup } from './cgroups.ts'
import { type Component, isHealthy, type Site, startHealthy } from './components.ts'
import {
  etcd,
  kubeApiserver,
  kubeControllerManager,
  kubeScheduler,
  nodeName,
  writeCredentials,
} from './controlplane.ts'
import { type Archive, pauseArchive } from './images.ts'
import { importArchive, importImage } from './load.ts'
import { withLock } from './lock.ts'
import { findMachine, mountsBelow, runsInMachine, startMachine, stopMachine } from './machine.ts'
import { mysqlArchive } from './mysqlimage.ts'
import { setUpNetwork } from './network.ts'
import { containerd, ctr, kubelet, kubeProxy, pauseImage } from './node.ts'
import { hasOperatorImage, operatorArchive } from './operatorimage.ts'
import { installPackages } from './packages.ts'
import { cgroupName, stateFolder } from './paths.ts'
import { waitUntil } from './processes.ts'
import { type Log, timed } from './progress.ts'

export type { Cluster } from './access.ts'
export { mysqlImage } from './mysqlimage.ts'
export { operatorImage } from './operatorimage.ts'

/** Which cluster: one of this machine by name, or, with a context, one that the user's kubeconfig knows. */
export type Target = { name: string; context?: string | undefined; log: Log }

/**
 * Brings up a cluster, or uses the one of that name that is already up; with a context it only looks whether that
 * one answers. What an earlier run left behind is cleared first.
 * @param operator whether the operator's image is built and loaded; by default when there is a Dockerfile
 */
export async function up({
  operator = hasOperatorImage(),
  ...target
}: Target & { operator?: boolean }): Promise<Cluster> {
  const { name, context, log } = target
  if (context !== undefined) return foreignCluster(name, context)
  assertPossible(name)
  return withLock(`cluster ${name}`, log, async () => {
    const ready = installPackages(log)
    const images = ready.then(() =>
      Promise.all([mysqlArchive(log), ...(operator ? [operatorArchive(log)] : [])]),
    )
    // Awaited at the end, when a failure to make an image can no longer be mistaken for one of the cluster.
    images.catch(() => undefined)
    const [binaries] = await Promise.all([buildBinaries(log), ready])
    if (await isUp(name)) {
      log(`cluster ${name} is up already`)
      await importImages(name, images, log)
    } else {
      await clear(name)
      await bringUp(name, binaries, images, log)
    }
    return localCluster(name) as Cluster
  })
}

/** Takes a cluster down with everything in it, and makes sure that nothing is left. Leaves a foreign one alone. */
export async function down({ name, context, log }: Target): Promise<void> {
  if (context !== undefined) return log(`context ${context} is not ours to take down: nothing done`)
  assertPossible(name)
  await withLock(`cluster ${name}`, log, () => timed(log, `cluster ${name} is down`, () => clear(name)))
}

/** Whether each component of a cluster is healthy; empty when the cluster is not up. */
export async function status(name: string): Promise<{ component: string; healthy: boolean }[]> {
  const machine = findMachine(stateFolder(name))
  const file = componentsFile(name)
  if (!machine || !existsSync(file)) return []
  const components: Component[] = JSON.parse(readFileSync(file, 'utf8'))
  const healthy = (component: Component) =>
    runsInMachine(machine, component.command) && isHealthy(machine, component)
  return Promise.all(
    components.map(async (component) => ({ component: component.name, healthy: await healthy(component) })),
  )
}

async function isUp(name: string): Promise<boolean> {
  const components = await status(name)
  return components.length > 0 && components.every(({ healthy }) => healthy)
}

function componentsFile(name: string): string {
  return join(stateFolder(name), 'components.json')
}

function assertPossible(name: string): void {
  // The name becomes part of folder and cgroup names, and of the paths of sockets, which have little room.
  if (!/^[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?$/.test(name)) {
    throw new Error(`"${name}" is no name for a cluster: use at most 22 of a-z, 0-9 and "-"`)
  }
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    throw new Error('A cluster of its own needs Linux and root. Elsewhere name a running one: --context NAME')
  }
}

async function bringUp(name: string, binaries: string, images: Promise<Archive[]>, log: Log): Promise<void> {
  const stateDir = stateFolder(name)
  for (const folder of ['logs', 'pki']) mkdirSync(join(stateDir, folder), { recursive: true })
  createCgroup(cgroupName(name))
  const machine = await startMachine(stateDir, join(binaries, 'pause'))
  const site: Site = { name, machine, stateDir, binaries }
  await Promise.all([setUpNetwork(machine), writeCredentials(site)])
  const runtime = containerd(site)
  const runtimeReady = startHealthy(site, runtime).then(async () => {
    await waitUntil('containerd answers', 60, async () => (await ctr(machine, ['version'], true)).code === 0)
    await importArchive(machine, await pauseArchive(log, pauseImage, join(binaries, 'pause')))
  })
  const imported = runtimeReady.then(() => importImages(name, images, log))
  imported.catch(() => undefined) // awaited below: a failed image must not stop the cluster half way
  await timed(log, `cluster ${name} is up`, async () => {
    const components = await startComponents(site, runtimeReady, log)
    writeFileSync(componentsFile(name), JSON.stringify([runtime, ...components]))
  })
  await imported
}

/** Starts all that talks to the API server, in an order in which nothing has to back off. */
async function startComponents(site: Site, runtimeReady: Promise<void>, log: Log): Promise<Component[]> {
  const store = etcd(site)
  const apiserver = kubeApiserver(site)
  await startHealthy(site, store)
  await timed(log, 'kube-apiserver is ready', () => startHealthy(site, apiserver))
  await runtimeReady
  const clients = [kubeControllerManager, kubeScheduler, kubelet, kubeProxy, coredns, localVolumes].map(
    (component) => component(site),
  )
  const cluster = localCluster(site.name) as Cluster
  await Promise.all([
    ...clients.map((component) => startHealthy(site, component)),
    cluster.apply(manifests()),
  ])
  await waitUntil(`node ${nodeName} exists`, 60, async () => {
    const { code } = await cluster.run('kubectl', ['get', 'node', nodeName], { allowFailure: true })
    return code === 0
  })
  await cluster.kubectl('wait', `node/${nodeName}`, '--for=condition=Ready', '--timeout=120s')
  return [store, apiserver, ...clients]
}

async function importImages(name: string, images: Promise<Archive[]>, log: Log): Promise<void> {
  for (const image of await images) await importImage(name, image, log)
}

async function clear(name: string): Promise<void> {
  const stateDir = stateFolder(name)
  const cgroup = cgroupName(name)
  const machine = findMachine(stateDir)
  const members = machine ? await stopMachine(machine) : () => []
  await waitUntil(`the processes of cluster ${name} have ended`, 60, () => members().length === 0)
  await removeCgroup(cgroup)
  const left = [...mountsBelow(stateDir), ...cgroupFolders(cgroup)]
  if (left.length > 0) throw new Error(`cluster ${name} left ${left.join(', ')} behind: unmount or remove it`)
  rmSync(stateDir, { recursive: true, force: true })
}
