/** One reconcile, read top to bottom: get → finalize → guard → objects → observe → decide → act → status. */
import type { Logger } from 'pino'
import { withDefaults } from '../api/defaults.ts'
import { fromKey, type MySQL as MySQLResource } from '../api/mysql.ts'
import { accounts, finalizer } from '../api/names.ts'
import { summary, violations } from '../api/rules.ts'
import { UnusableSecret } from '../desired/secrets.ts'
import { NameTaken } from '../kube/apply.ts'
import { ApiError } from '../kube/errors.ts'
import { MySQL } from '../kube/kinds.ts'
import { act } from './act.ts'
import { at, type Context, type Run, withImage } from './context.ts'
import { mustBeReadAgain, wantedCredential } from './credentials.ts'
import { decide, type Plan } from './decide.ts'
import { nextBackupLook } from './decideBackup.ts'
import { type Credentials, credentialsInForce, nextPasswordLook } from './decidePasswords.ts'
import { nextVerifyLook } from './decideVerify.ts'
import { blockedStatus } from './endStatus.ts'
import { finalize } from './finalize.ts'
import { ensureObjects } from './objects.ts'
import { observe } from './observe.ts'
import { brokenStatus, statusOf } from './status.ts'
import { imageInUse } from './upgrade.ts'
import { writeStatus } from './writeStatus.ts'

export interface Outcome {
  /** Milliseconds until the next look, where no event can be relied on to bring it. */
  requeueAfter?: number
}

/** How long a Secret of the user's own may go unread, in milliseconds: there is no watch on Secrets. */
const secretsEveryMs = 60_000
/** How soon a Secret that is waited for is looked for again, in milliseconds. */
const waitingEveryMs = 10_000

/** Reconciles the MySQL of `key` (`namespace/name`). Throws on any failure; the queue tries again later. */
export const reconcile = async (
  context: Context,
  key: string,
  log: Logger,
  signal: AbortSignal,
): Promise<Outcome> => {
  const { namespace, name } = fromKey(key)
  const cached = context.caches.mysqls.get(namespace, name)
  if (!cached) return {}
  const mysql = complete(cached)
  // Nothing is begun after the Lease is gone; what is under way is stopped at its next write by the client's fence.
  if (signal.aborted) return {}
  const run: Run = { ...context, mysql, log, did: [] }
  const deleting = mysql.metadata.deletionTimestamp !== undefined
  try {
    return deleting ? soon(await finalize(run)) : await live(run)
  } catch (error) {
    const why = reasonFor(error)
    if (why) {
      const status = deleting ? blocked(run, why.message) : broken(run, why.reason, why.message)
      // The first failure is the one to be told of.
      await writeStatus(run, status).catch((second) => log.warn({ err: second }, 'cannot write the status'))
    }
    throw error
  }
}

/** With the defaults that the API server did not fill in, since its CRD was another one when the resource came. */
const complete = (mysql: MySQLResource): MySQLResource => ({
  ...mysql,
  spec: withDefaults(mysql.spec ?? {}) as MySQLResource['spec'],
})

const broken = (run: Run, reason: 'Invalid' | 'NameTaken' | 'Error', message: string) =>
  brokenStatus(observe(run.caches, run.mysql), reason, message, run.now())

const blocked = (run: Run, message: string) =>
  blockedStatus(observe(run.caches, run.mysql), message, run.now())

const soon = (ms: number | undefined): Outcome => (ms === undefined ? {} : { requeueAfter: ms })

const live = async (run: Run): Promise<Outcome> => {
  if (!(await hasFinalizer(run))) return {}
  const found = violations(run.mysql)
  if (found.length > 0) {
    await writeStatus(run, broken(run, 'Invalid', summary(found)))
    return {}
  }
  const using = withImage(run, imageInUse(observe(run.caches, run.mysql)))
  const ensured = await ensureObjects(using)
  if (typeof ensured === 'object') {
    await writeStatus(run, broken(run, 'Error', goingMessage(ensured.going)))
    return soon(waitingEveryMs)
  }
  const seen = observe(run.caches, run.mysql)
  // What was applied a moment ago is not in the cache yet.
  const o = { ...seen, rolledOut: seen.rolledOut && ensured === 'settled' }
  const credentials: Credentials = { wanted: await wantedCredentials(using), inForce: credentialsInForce(o) }
  const plan = decide(o, credentials, run.now())
  await act(using, o, plan)
  const next = nextLook(run, plan, credentials, [
    ...(run.mysql.spec.suspended ? [] : nextPasswordLook(o, credentials, run.now())),
    ...nextBackupLook(o, run.now()),
    ...nextVerifyLook(o, run.now()),
  ])
  await writeStatus(run, statusOf(o, credentials, run.now()), next)
  return soon(next)
}

/** While it is suspended nothing is put in force, so no hash is made that the next change would leave behind. */
const wantedCredentials = async (run: Run): Promise<Credentials['wanted']> =>
  run.mysql.spec.suspended
    ? { root: { state: 'none' }, user: { state: 'none' } }
    : { root: await wantedCredential(run, 'root'), user: await wantedCredential(run, 'user') }

/** The webhook adds the finalizer to what it sees; this is for a resource that was made while it was off. */
const hasFinalizer = async (run: Run): Promise<boolean> => {
  const { finalizers, name, resourceVersion } = run.mysql.metadata
  if (finalizers?.includes(finalizer)) return true
  const body = { metadata: { resourceVersion, finalizers: [...(finalizers ?? []), finalizer] } }
  await run.client.patch(MySQL, at(run, name), body, 'merge')
  return false
}

const nextLook = (run: Run, plan: Plan, { wanted }: Credentials, more: number[]): number | undefined => {
  const waiting = accounts.some((account) => wanted[account].state === 'waiting')
  const looks = [
    ...(plan.do === 'wait' && plan.forMs !== undefined ? [plan.forMs] : []),
    ...more,
    ...(waiting ? [waitingEveryMs] : []),
    ...(!run.mysql.spec.suspended && mustBeReadAgain(run) ? [secretsEveryMs] : []),
  ]
  return looks.length === 0 ? undefined : Math.min(...looks)
}

const goingMessage = (claim: string) =>
  `claim ${claim} is being deleted and cannot be used: it is made anew when it is gone, which a pod may hold up`

/** Not what passes by itself, but also 500: a webhook of somebody's that is away is told so. */
const refusals = [400, 403, 413, 422, 500]

/** A failure that a person has to know of; what passes by itself is only logged by the queue. */
const reasonFor = (error: unknown): { reason: 'NameTaken' | 'Error'; message: string } | undefined => {
  if (error instanceof NameTaken) return { reason: 'NameTaken', message: error.message }
  if (error instanceof UnusableSecret) return { reason: 'Error', message: error.message }
  if (error instanceof ApiError && refusals.includes(error.code)) {
    return { reason: 'Error', message: `The API server refused: ${error.message}` }
  }
  return undefined
}
