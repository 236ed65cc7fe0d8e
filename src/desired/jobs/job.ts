import type { V1EnvVar, V1Job } from '@kubernetes/client-node'
import type { MySQL } from '../../api/mysql.ts'
import { type Account, accounts, annotations, type Component } from '../../api/names.ts'
import type { Live, Meta } from '../../api/resource.ts'
import { annotationsOf, jobPodLabels } from '../metadata.ts'
import { image, placement, requireUid } from '../pod.ts'
import { containerSecurity, podSecurity } from '../podSecurity.ts'
import { podHost } from '../services.ts'
import {
  clientVolume,
  configVolume,
  credentialVolume,
  type Mounted,
  scriptPath,
  tmpVolume,
  volumeMounts,
  volumes,
} from '../volumes.ts'

export type JobManifest = Live<V1Job>

/** Which Secret's hash a Job puts in force for each account. */
export type CredentialNames = { readonly [A in Account]?: string | undefined }

/** What differs between the Jobs. */
interface Work {
  metadata: Meta
  component: Component
  /** Name of the one container as well. */
  script: string
  /** The data claim that the server must be running on. */
  claimUid: string
  /** Their hashes are mounted. */
  credentials?: CredentialNames
  env: V1EnvVar[]
  mounted: Mounted[]
  backoffLimit: number
  /** Waiting for a server that is not there yet is normal, so these are hours rather than minutes. */
  activeDeadlineSeconds: number
}

/** Limits as well as requests: a namespace whose quota counts limits refuses pods that have none. */
const jobResources = {
  requests: { cpu: '50m', memory: '64Mi' },
  limits: { cpu: '1', memory: '512Mi' },
}

/** What the Job was made from and for, noted on it: nothing else tells later what its success means. */
const withPurpose = (mysql: MySQL, { metadata, claimUid, credentials = {} }: Work): Meta => ({
  ...metadata,
  annotations: {
    ...metadata.annotations,
    [annotations.generation]: String(mysql.metadata.generation),
    [annotations.claimUid]: claimUid,
    [annotations.credentials]: accounts
      .flatMap((account) => (credentials[account] ? [`${account}=${credentials[account]}`] : []))
      .join(','),
  },
})

/** A Job that runs one script against member 0; its result is its termination message. */
export const job = (mysql: MySQL, work: Work): JobManifest => {
  const hashes = accounts.flatMap((account) => {
    const secretName = work.credentials?.[account]
    return secretName === undefined ? [] : [credentialVolume(account, secretName)]
  })
  const mounted = [configVolume(mysql), clientVolume(mysql), tmpVolume(), ...work.mounted, ...hashes]
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: withPurpose(mysql, work),
    spec: {
      backoffLimit: work.backoffLimit,
      activeDeadlineSeconds: work.activeDeadlineSeconds,
      // A second pod while the first one still ends would work on the same database and the same files.
      podReplacementPolicy: 'Failed',
      template: {
        metadata: { labels: jobPodLabels(mysql, work.component), annotations: annotationsOf(mysql) },
        spec: {
          ...podSecurity,
          ...placement(mysql),
          restartPolicy: 'Never',
          // Every script can be killed at any line: there is nothing to wait for.
          terminationGracePeriodSeconds: 5,
          containers: [
            {
              name: work.script,
              ...image(mysql),
              command: ['bash', scriptPath(`${work.script}.sh`)],
              env: [
                { name: 'SERVER', value: podHost(mysql) },
                { name: 'CLAIM_UID', value: requireUid(work.claimUid) },
                ...work.env,
              ],
              resources: jobResources,
              securityContext: containerSecurity,
              volumeMounts: volumeMounts(mounted),
            },
          ],
          volumes: volumes(mounted),
        },
      },
    },
  }
}
