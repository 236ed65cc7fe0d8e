import type { MySQLStatus } from '../api/schema.ts'
import { notFound } from '../kube/errors.ts'
import { events } from '../kube/events.ts'
import { MySQL } from '../kube/kinds.ts'
import { at, type Run } from './context.ts'
import { accountName } from './credentialsFinding.ts'
import { differs } from './status.ts'
import { endedGrace, eventFor } from './transitions.ts'

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** `after` as a merge patch of `before`: null takes away what it has not, at every depth. */
const replacing = (before: unknown, after: unknown): unknown => {
  if (!isObject(before) || !isObject(after)) return after
  const gone = Object.keys(before).filter((key) => !(key in after))
  return {
    ...Object.fromEntries(gone.map((key) => [key, null])),
    ...Object.fromEntries(Object.entries(after).map(([key, value]) => [key, replacing(before[key], value)])),
  }
}

/** Where this run answers a request, the status says what it did. `next`: milliseconds until the next look without an event. */
const answered = ({ mysql, did }: Run, status: MySQLStatus, next: number | undefined): MySQLStatus => {
  if (status.lastHandledReconcileAt === mysql.status?.lastHandledReconcileAt) return status
  const soon = next === undefined ? {} : { nextInSeconds: Math.ceil(next / 1000) }
  return { ...status, lastRun: { did: [...did], ...soon } }
}

/** Writes the status if it differs, and an event for each condition that turned; nothing for a resource that is gone. */
export const writeStatus = async (run: Run, wanted: MySQLStatus, next?: number): Promise<void> => {
  const status = answered(run, wanted, next)
  if (!differs(run.mysql, status)) return
  const before = run.mysql.status
  const body = {
    metadata: { uid: run.mysql.metadata.uid },
    status: replacing(before, status),
  }
  try {
    await run.client.patch(MySQL, at(run, run.mysql.metadata.name), body, 'merge', { subresource: 'status' })
  } catch (error) {
    // The cache has not seen yet that the resource was let go.
    if (notFound(error)) return
    throw error
  }
  for (const condition of status.conditions ?? []) {
    const old = before?.conditions?.find(({ type }) => type === condition.type)
    const event = eventFor(condition, old)
    if (event) await run.record(run.mysql, event, condition.message)
  }
  for (const account of endedGrace(status, before)) {
    const note = `The password before the last change of ${accountName(run.mysql, account)} does not work any more.`
    await run.record(run.mysql, events.OldPasswordEnded, note)
  }
}
