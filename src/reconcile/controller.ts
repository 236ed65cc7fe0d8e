/** Event → key → queue → reconcile: runs while this replica holds the Lease. */
import type { Logger } from 'pino'
import { keyOf } from '../api/mysql.ts'
import type { Queue } from '../kube/queue.ts'
import type { StartedCaches } from './caches.ts'
import type { Context } from './context.ts'
import { reconcile } from './reconcile.ts'

/**
 * Reconciles every MySQL, and again whatever something happens to, until the signal aborts; resolves when the last run
 * has ended. The caches must have synced: what is missing in them would be made anew.
 */
export const runController = async (
  context: Context,
  caches: StartedCaches,
  queue: Queue,
  log: Logger,
  signal: AbortSignal,
): Promise<void> => {
  caches.onChange((key) => queue.add(key))
  // What happened before, while another replica led or none did, is found by looking at everything once.
  for (const mysql of caches.mysqls.list()) queue.add(keyOf(mysql))
  let runs = 0
  await queue.run(async (key, stop) => {
    runs += 1
    return reconcile(context, key, log.child({ mysql: key, run: runs }), stop)
  }, signal)
}
