import type { MySQL } from '../api/mysql.ts'
import type { StartedCaches } from './caches.ts'

/**
 * The cached MySQL as soon as it satisfies the predicate, which is asked at once and at each change. It gets undefined
 * while the cache has none: it is gone, or has not been seen yet. Rejects with the signal's reason when that aborts first.
 */
export const until = (
  caches: StartedCaches,
  ref: { namespace: string; name: string },
  predicate: (mysql: MySQL | undefined) => boolean,
  signal: AbortSignal,
): Promise<MySQL | undefined> => {
  const { promise, resolve, reject } = Promise.withResolvers<MySQL | undefined>()
  const look = () => {
    const mysql = caches.mysqls.get(ref.namespace, ref.name)
    if (predicate(mysql)) resolve(mysql)
  }
  const key = `${ref.namespace}/${ref.name}`
  const forget = caches.onChange((changed) => {
    if (changed === key) look()
  })
  const stop = () => reject(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  look()
  return promise.finally(() => {
    forget()
    signal.removeEventListener('abort', stop)
  })
}
