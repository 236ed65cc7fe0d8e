import type { V1StatefulSet } from '@kubernetes/client-node'
import type { MySQL } from '../api/mysql.ts'
import { annotations, names } from '../api/names.ts'
import type { Live } from '../api/resource.ts'
import { annotationsOf, databaseSelector, labelsOf, metadata } from './metadata.ts'
import { myCnfHash } from './myCnf.ts'
import { type Container, databaseResources, image, placement, requireUid } from './pod.ts'
import { containerSecurity, podSecurity } from './podSecurity.ts'
import { mysqlPort } from './services.ts'
import * as volume from './volumes.ts'

export type StatefulSetManifest = Live<V1StatefulSet>

export interface StatefulSetInputs {
  /** uid of the data claim: an empty one is initialised for it, and the Jobs work on no other. */
  claimUid: string
  /** uid of the Secret with init.sql: a new account of the operator's takes a start of the server to be known. */
  accountUid: string
  /** No pod for now. */
  stopped?: boolean
}

/** Names of the pod's containers; the first one's termination message is an InitResult. */
export const containerNames = { initialise: 'initialise', mysql: 'mysql' } as const

/** Long enough to flush a large buffer pool; a server that is done earlier ends earlier. */
const terminationSeconds = 300

/** Makes an empty claim into a data directory; leaves one that has data alone. */
const initialise = (mysql: MySQL, { claimUid }: StatefulSetInputs): Container => ({
  name: containerNames.initialise,
  ...image(mysql),
  command: ['bash', volume.scriptPath('initialise.sh')],
  env: [{ name: 'CLAIM_UID', value: requireUid(claimUid) }],
  // Adds nothing to the pod: its request is the larger one of its init container and its other containers.
  resources: databaseResources(mysql) ?? { requests: { cpu: '100m', memory: '256Mi' } },
  securityContext: containerSecurity,
  volumeMounts: volume.volumeMounts([
    volume.configVolume(mysql),
    volume.initVolume(mysql),
    volume.dataVolume(mysql),
    volume.runVolume(),
    volume.tmpVolume(),
  ]),
})

/**
 * The server itself, without a shell around it: signals reach it. There is no liveness and no startup probe: they could
 * only kill a server that is busy recovering. Ready means a query over the operator's account, and a finished restore.
 */
const server = (mysql: MySQL): Container => {
  const resources = databaseResources(mysql)
  return {
    name: containerNames.mysql,
    ...image(mysql),
    command: [
      'mysqld',
      `--defaults-file=${volume.paths.config}/my.cnf`,
      `--init-file=${volume.paths.init}/init.sql`,
    ],
    ports: [{ name: mysqlPort.name, containerPort: mysqlPort.number, protocol: 'TCP' }],
    ...(resources === undefined ? {} : { resources }),
    readinessProbe: {
      exec: { command: ['bash', volume.scriptPath('ready.sh')] },
      periodSeconds: 3,
      timeoutSeconds: 5,
    },
    securityContext: containerSecurity,
    volumeMounts: volume.volumeMounts(serverVolumes(mysql)),
  }
}

const serverVolumes = (mysql: MySQL) => [
  volume.configVolume(mysql),
  volume.clientVolume(mysql),
  volume.initVolume(mysql),
  volume.dataVolume(mysql),
  volume.runVolume(),
  volume.tmpVolume(),
]

/**
 * Member 0 of a MySQL. Its pod template depends on the spec, my.cnf and the claim alone: neither a newer operator with
 * other scripts nor a new password replaces the pod.
 */
export const statefulSet = (mysql: MySQL, inputs: StatefulSetInputs): StatefulSetManifest => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: metadata(mysql, names.workload(mysql.metadata.name), 'database'),
  spec: {
    replicas: inputs.stopped ? 0 : 1,
    serviceName: names.pods(mysql.metadata.name),
    // OrderedReady would wait for ever for a pod with a bad image, even after the image was corrected.
    podManagementPolicy: 'Parallel',
    revisionHistoryLimit: 2,
    selector: { matchLabels: databaseSelector(mysql) },
    template: {
      metadata: {
        labels: labelsOf(mysql, 'database'),
        annotations: {
          ...annotationsOf(mysql),
          [annotations.configHash]: myCnfHash(mysql),
          [annotations.accountUid]: inputs.accountUid,
        },
      },
      spec: {
        ...podSecurity,
        ...placement(mysql),
        terminationGracePeriodSeconds: terminationSeconds,
        initContainers: [initialise(mysql, inputs)],
        containers: [server(mysql)],
        volumes: volume.volumes(serverVolumes(mysql)),
      },
    },
  },
})
