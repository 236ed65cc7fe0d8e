/** What a MySQL's status says, computed from what was observed; nothing here reads or writes. */
import { isDeepStrictEqual } from 'node:util'
import { type Finding, finding, toConditions } from '../api/conditions.ts'
import type { MySQL } from '../api/mysql.ts'
import { annotations, names } from '../api/names.ts'
import type { MySQLStatus } from '../api/schema.ts'
import { backedUpFinding, backupStatus } from './backupStatus.ts'
import { credentialsFinding, waits } from './credentialsFinding.ts'
import { ownDump } from './decideBackup.ts'
import type { Credentials } from './decidePasswords.ts'
import { jobProblem } from './jobs.ts'
import { claimMarks, isFilled, type Observed } from './observe.ts'
import { suspendedFindings } from './suspension.ts'
import { upgradeBlockedFinding, upgradingFinding } from './upgrade.ts'
import { verifiedFinding } from './verifyStatus.ts'

const noBackup = 'none'

const restoredFinding = (o: Observed): Finding => {
  const from = claimMarks(o.dataClaim).restoredFrom
  const job = names.restoreJob(o.mysql.metadata.name)
  if (from !== undefined && from !== noBackup) {
    return finding('Restored', 'True', 'FromBackup', `The database was made from ${from}.`)
  }
  if (from === noBackup && o.mysql.spec.restore.from === 'none') {
    return finding('Restored', 'True', 'NotWanted', 'spec.restore.from is none: the database was made empty.')
  }
  if (from === noBackup) {
    return finding(
      'Restored',
      'True',
      'NoBackup',
      'There was no dump on the backup volume: the database was made empty.',
    )
  }
  const before = o.mysql.status?.conditions?.find(({ type }) => type === 'Restored')
  // It stays failed until one succeeds: the tries in between are no news.
  if (before?.reason === 'Failed' && o.restore?.state !== 'failed') {
    return finding('Restored', 'False', 'Failed', before.message)
  }
  if (o.restore?.state === 'failed') {
    const why = jobProblem(o.restore, job)
    return finding(
      'Restored',
      'False',
      'Failed',
      `Job ${job} failed and will be tried again; clients stay out: ${why}`,
    )
  }
  return finding(
    'Restored',
    'False',
    'Pending',
    `Job ${job} has not finished yet; clients stay out until it has.`,
  )
}

const readyFinding = (o: Observed, c: Credentials): Finding => {
  const restored = isFilled(o)
  // The server may be open a moment before it was noted what it was made from, which is what people look for then.
  if (o.pod?.ready && restored && o.rolledOut)
    return finding('Ready', 'True', 'Serving', 'The server answers.')
  if (o.pod?.stuck)
    return finding('Ready', 'False', isImageProblem(o.pod.stuck) ? 'ImageError' : 'Starting', o.pod.stuck)
  const waiting = waits(c)
  if (waiting.length > 0) return finding('Ready', 'False', 'Waiting', waiting.join('; '))
  if (o.pod?.initialised && !restored)
    return finding('Ready', 'False', 'Restoring', restoredFinding(o).message)
  if (o.pod?.ready && restored) return finding('Ready', 'False', 'Starting', 'The pod is being replaced.')
  return finding('Ready', 'False', 'Starting', o.pod?.unschedulable ?? 'The server has not answered yet.')
}

const isImageProblem = (stuck: string) => /Image/.test(stuck.slice(0, stuck.indexOf(':')))

const degradedFinding = (o: Observed): Finding => {
  const stuck = o.pod?.stuck ?? o.restore?.stuck ?? o.password?.stuck ?? ownDump(o)?.stuck
  if (stuck === undefined) return finding('Degraded', 'False', 'Fine', 'Nothing is wrong.')
  return isImageProblem(stuck)
    ? finding('Degraded', 'True', 'ImageError', `${stuck}. Correct spec.image, or what it is pulled with.`)
    : finding('Degraded', 'True', 'Error', `${stuck}. See \`kubectl describe pod\`, then its log.`)
}

const progressingFinding = (ready: Finding, credentials: Finding): Finding => {
  if (ready.reason === 'Waiting') return finding('Progressing', 'False', 'Waiting', ready.message)
  if (['Drifted', 'Waiting'].includes(credentials.reason))
    return finding('Progressing', 'False', 'Waiting', credentials.message)
  return ready.status === 'True' && credentials.status === 'True'
    ? finding('Progressing', 'False', 'Settled', 'Everything is as the spec says.')
    : finding('Progressing', 'True', 'Working', ready.status === 'True' ? credentials.message : ready.message)
}

const settledMessage = (o: Observed, ready: Finding): string => {
  const from = claimMarks(o.dataClaim).restoredFrom
  if (ready.status !== 'True' || from === undefined) return ready.message
  return from === noBackup ? 'Mysql created' : `Mysql created from backup ${from}`
}

/** Adds what every status has to what was found, and keeps the times of conditions that stayed as they were. */
export const statusWith = (
  mysql: MySQL,
  findings: readonly Finding[],
  message: string,
  more: Partial<MySQLStatus>,
  now: Date,
): MySQLStatus => {
  const generation = mysql.metadata.generation ?? 0
  const requestedAt = mysql.metadata.annotations?.[annotations.requestedAt]
  return {
    ...mysql.status,
    ...more,
    observedGeneration: generation,
    message,
    conditions: toConditions(findings, mysql.status?.conditions, generation, now.toISOString()),
    ...(requestedAt === undefined ? {} : { lastHandledReconcileAt: requestedAt }),
  }
}

/** How the server and the passwords are, and what is under way. */
const livingFindings = (o: Observed, c: Credentials, now: Date) => {
  const ready = readyFinding(o, c)
  const credentials = credentialsFinding(o, c, now)
  return { ready, progressing: upgradingFinding(o) ?? progressingFinding(ready, credentials), credentials }
}

/** The status of a living MySQL. */
export const statusOf = (o: Observed, c: Credentials, now: Date): MySQLStatus => {
  const suspended = o.mysql.spec.suspended
  const { ready, progressing, credentials } = suspended ? suspendedFindings(o) : livingFindings(o, c, now)
  const upgradeBlocked = upgradeBlockedFinding(o)
  const from = claimMarks(o.dataClaim).restoredFrom
  const findings = [
    ready,
    progressing,
    degradedFinding(o),
    credentials,
    restoredFinding(o),
    backedUpFinding(o, now),
    upgradeBlocked,
    verifiedFinding(o, now),
  ].filter((found) => found !== undefined)
  const { name, namespace } = o.mysql.metadata
  const more: Partial<MySQLStatus> = {
    endpoint: `${names.service(name)}.${namespace}.svc:3306`,
    credentials: c.inForce,
    // An image whose server does not come up is no version to go on from, or back to.
    ...(o.pod?.version === undefined || !o.pod.ready ? {} : { version: o.pod.version }),
    ...backupStatus(o, now),
    ...(from === undefined || from === noBackup ? {} : { restoredFrom: from }),
  }
  return statusWith(o.mysql, findings, upgradeBlocked?.message ?? settledMessage(o, ready), more, now)
}

/** The status of a MySQL that breaks a rule, or whose objects cannot be made: everything else stays as it was. */
export const brokenStatus = (
  { mysql, pod }: Observed,
  reason: 'Invalid' | 'NameTaken' | 'Error',
  message: string,
  now: Date,
) => {
  const kept = (mysql.status?.conditions ?? []).filter(
    ({ type }) => !['Degraded', 'Progressing', 'Ready'].includes(type),
  )
  const wasReady = mysql.status?.conditions?.find(({ type, status }) => type === 'Ready' && status === 'True')
  const findings = [
    // A server that serves goes on serving; what cannot be done is the change that was asked for.
    (pod?.ready && wasReady) ||
      finding('Ready', 'False', reason === 'Invalid' ? 'Invalid' : 'Waiting', message),
    finding('Progressing', 'False', 'Waiting', message),
    finding('Degraded', 'True', reason, message),
    ...kept,
  ] as Finding[]
  return statusWith(mysql, findings, message, {}, now)
}

/** True if writing `next` would change anything. */
export const differs = (mysql: MySQL, next: MySQLStatus): boolean => !isDeepStrictEqual(mysql.status, next)
