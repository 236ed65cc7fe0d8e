import type { TypedResource } from '../api/resource.ts'
import { alreadyExists } from '../kube/errors.ts'
import type { Kind } from '../kube/kinds.ts'
import { at, type Run } from './context.ts'

/**
 * Creates the object, or answers the one of that name that is there: made by an earlier run whose write the cache has not
 * shown yet, or by somebody else. Whose it is, is for the caller to judge.
 */
export const createOrGet = async <T extends TypedResource>(
  run: Run,
  kind: Kind<T>,
  object: T,
): Promise<T> => {
  try {
    const stored = await run.client.create(kind, object)
    run.did.push(`created ${kind.kind} ${object.metadata.name}`)
    return stored
  } catch (error) {
    if (!alreadyExists(error)) throw error
    const existing = await run.client.get(kind, at(run, object.metadata.name))
    // Gone in between: the next run makes it.
    if (!existing) throw error
    return existing
  }
}
