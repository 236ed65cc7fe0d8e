/** The only place where a plan becomes writes: one function a plan, each safe to repeat. */
import { annotations, names } from '../api/names.ts'
import { type BackupCause, backupJob } from '../desired/jobs/backup.ts'
import type { CredentialNames } from '../desired/jobs/job.ts'
import { type PasswordJobInputs, passwordJob } from '../desired/jobs/password.ts'
import { restoreJob } from '../desired/jobs/restore.ts'
import { verifyJob } from '../desired/jobs/verify.ts'
import { isOurs, NameTaken } from '../kube/apply.ts'
import { Job, PersistentVolumeClaim } from '../kube/kinds.ts'
import { at, type Run } from './context.ts'
import { createOrGet } from './create.ts'
import { removeCredential } from './credentials.ts'
import type { Plan } from './decide.ts'
import type { Observed } from './observe.ts'

/** Notes something on the data claim. */
export const markClaim = async (
  run: Run,
  o: Observed,
  marks: Record<string, string | null>,
): Promise<void> => {
  run.did.push(`noted on claim ${names.data(run.mysql.metadata.name)}: ${Object.keys(marks).join(', ')}`)
  await run.client.patch(
    PersistentVolumeClaim,
    at(run, names.data(run.mysql.metadata.name)),
    // With the uid as precondition: a claim that was made anew in between has no data yet.
    { metadata: { uid: o.dataClaim?.metadata.uid, annotations: marks } },
    'merge',
  )
}

/**
 * Creates a Job; if one of ours is there already, an earlier run made it and the cache has not seen it yet. A foreign one
 * is in the way: nothing would ever come of waiting for it.
 */
export const createJob = async (run: Run, job: Job): Promise<void> => {
  const stored = await createOrGet(run, Job, job)
  if (!isOurs(job, stored, { adopt: true })) throw new NameTaken(Job, at(run, job.metadata.name))
  run.log.info({ job: job.metadata.name }, 'started a Job')
}

export const jobNames = {
  restore: names.restoreJob,
  password: names.passwordJob,
  backup: names.backupJob,
  verify: names.verifyJob,
} as const

/** In the foreground, so that it is gone only when its pods are: two dumps or restores never run at once. */
export const removeJob = (run: Run, name: string, uid: string): Promise<boolean> => {
  run.did.push(`removed Job ${name}`)
  return run.client.remove(Job, at(run, name), { uid, propagationPolicy: 'Foreground' })
}

const startRestore = (run: Run, o: Observed, credentials: CredentialNames) => {
  const claimUid = o.dataClaim?.metadata.uid ?? ''
  return createJob(
    run,
    restoreJob(run.mysql, { claimUid, root: credentials.root ?? '', user: credentials.user }),
  )
}

const startPasswordChange = (run: Run, o: Observed, work: Omit<PasswordJobInputs, 'claimUid'>) => {
  const claimUid = o.dataClaim?.metadata.uid ?? ''
  return createJob(run, passwordJob(run.mysql, { claimUid, ...work }))
}

const startBackup = (run: Run, o: Observed, cause: BackupCause) =>
  createJob(run, backupJob(run.mysql, { claimUid: o.dataClaim?.metadata.uid ?? '', cause }))

/** Carries out one plan. */
export const act = async (run: Run, o: Observed, plan: Plan): Promise<void> => {
  const { name } = run.mysql.metadata
  switch (plan.do) {
    case 'markInitialised':
      return markClaim(run, o, { [annotations.initialised]: run.now().toISOString() })
    case 'markRestored':
      return markClaim(run, o, { [annotations.restoredFrom]: plan.from })
    case 'noteOnClaim':
      return markClaim(run, o, plan.marks)
    case 'restore':
      return startRestore(run, o, plan.credentials)
    case 'backup':
      return startBackup(run, o, plan.cause)
    case 'verify':
      return createJob(run, verifyJob(run.mysql, { dump: plan.dump }))
    case 'changePasswords':
      return startPasswordChange(run, o, plan)
    case 'removeJob':
      for (const secretName of 'forget' in plan ? plan.forget : []) await removeCredential(run, secretName)
      await removeJob(run, jobNames[plan.job](name), plan.uid)
      return
    case 'forgetCredentials':
      for (const secretName of plan.secretNames) await removeCredential(run, secretName)
      return
    case 'wait':
      return
    default:
      plan satisfies never
  }
}
