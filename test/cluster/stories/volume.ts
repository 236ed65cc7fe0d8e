import { randomBytes } from 'node:crypto'
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
