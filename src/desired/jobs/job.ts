import type { V1EnvVar, V1Job, V1PodFailurePolicy, V1ResourceRequirements } from '@kubernetes/client-node'
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
  /** The data claim that the server must be running on; without it the Job has nothing to do with the server. */
  claimUid?: string
  /** Their hashes are mounted. */
  credentials?: CredentialNames
  env: V1EnvVar[]
  mounted: Mounted[]
  /** In place of the usual ones. */
  resources?: V1ResourceRequirements
  backoffLimit: number
  /** An exit code that is the answer: trying again would give the same. */
  finalExitCode?: number
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
    ...(claimUid === undefined ? {} : { [annotations.claimUid]: claimUid }),
    [annotations.credentials]: accounts
      .flatMap((account) => (credentials[account] ? [`${account}=${credentials[account]}`] : []))
      .join(','),
  },
})

/** How a script reaches the server. */
const connection = (mysql: MySQL, claimUid: string) => ({
  env: [
    { name: 'SERVER', value: podHost(mysql) },
    { name: 'CLAIM_UID', value: requireUid(claimUid) },
  ],
  mounted: [clientVolume(mysql)],
})

/** A pod that ends so fails its Job at once; other failures are tried again up to the limit. */
const failAt = (containerName: string, exitCode: number): V1PodFailurePolicy => ({
  rules: [{ action: 'FailJob', onExitCodes: { containerName, operator: 'In', values: [exitCode] } }],
})

/** A Job that runs one script, mostly against member 0; its result is its termination message. */
export const job = (mysql: MySQL, work: Work): JobManifest => {
  const hashes = accounts.flatMap((account) => {
    const secretName = work.credentials?.[account]
    return secretName === undefined ? [] : [credentialVolume(account, secretName)]
  })
  const server = work.claimUid === undefined ? { env: [], mounted: [] } : connection(mysql, work.claimUid)
  const mounted = [configVolume(mysql), ...server.mounted, tmpVolume(), ...work.mounted, ...hashes]
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: withPurpose(mysql, work),
    spec: {
      backoffLimit: work.backoffLimit,
      activeDeadlineSeconds: work.activeDeadlineSeconds,
      // A second pod while the first one still ends would work on the same database and the same files.
      podReplacementPolicy: 'Failed',
      ...(work.finalExitCode === undefined
        ? {}
        : { podFailurePolicy: failAt(work.script, work.finalExitCode) }),
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
              env: [...server.env, ...work.env],
              resources: work.resources ?? jobResources,
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
