import type { MySQLStatus } from '../api/schema.ts'
import { notFound } from '../kube/errors.ts'
import { MySQL } from '../kube/kinds.ts'
import { at, type Run } from './context.ts'
import { differs } from './status.ts'
import { eventFor } from './transitions.ts'

/** Fields that the old status has and the new one has not, as a merge patch removes them. */
const removals = (before: object | undefined, after: object) =>
  Object.fromEntries(
    Object.keys(before ?? {})
      .filter((key) => !(key in after))
      .map((key) => [key, null]),
  )

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
    status: { ...removals(before, status), ...status },
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
}
