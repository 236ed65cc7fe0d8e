import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { findMachine, scriptInMachine } from '../machine.ts'
import type { Space } from './support.ts'

const shell = (name: string, claim: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 999,
      runAsGroup: 999,
      fsGroup: 999,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [
      {
        name: 'shell',
        image: 'mysql:9.7',
        command: ['sleep', '600'],
        workingDir: '/volume',
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
        volumeMounts: [{ name: 'volume', mountPath: '/volume' }],
      },
    ],
    volumes: [{ name: 'volume', persistentVolumeClaim: { claimName: claim } }],
  },
})

/**
 * Runs a bash script in the root of a claim's volume, in a pod of its own as a person would; answers what it printed.
 * @param input what the script reads on its standard input
 */
export const onVolume = async (place: Space, claim: string, script: string, input = ''): Promise<string> => {
  const { cluster, namespace, kubectl } = place
  const pod = `look-${randomBytes(3).toString('hex')}`
  const manifest = JSON.stringify(shell(pod, claim))
  await cluster.run('kubectl', ['-n', namespace, 'create', '-f', '-'], { input: manifest })
  try {
    await kubectl('wait', `pod/${pod}`, '--for=condition=Ready', '--timeout=60s')
    const args = ['-n', namespace, 'exec', '-i', pod, '--', 'bash', '-c', script]
    return (await cluster.run('kubectl', args, { input })).stdout
  } finally {
    await kubectl('delete', 'pod', pod, '--now', '--wait=false')
  }
}

/** The folder on this machine that is a claim's volume. */
export const volumeFolder = ({ cluster, namespace }: Space, claim: string): string => {
  const volumes = join(cluster.stateDir ?? '', 'volumes')
  const folder = readdirSync(volumes).find((one) => one.endsWith(`_${namespace}_${claim}`))
  if (folder === undefined) throw new Error(`no volume for ${claim}`)
  return join(volumes, folder)
}

/** Puts an almost full file system where a claim's volume is, on this machine's disk; answers how to take it away again. */
export const fillVolume = async (place: Space, claim: string) => {
  const machine = findMachine(place.cluster.stateDir ?? '')
  if (machine === undefined) throw new Error('the machine of the cluster is not up')
  const path = volumeFolder(place, claim)
  await scriptInMachine(machine, `mount -t tmpfs -o size=64k,mode=0777 full '${path}'`)
  return () => scriptInMachine(machine, `umount '${path}'`)
}
