import { schemaViolations, shapeViolations } from '../api/rules.ts'
import { warningsFor } from '../api/warnings.ts'
import type { Look } from './lookups.ts'
import { allowed, denied, type Handler } from './review.ts'
import {
  addressViolations,
  asMySQL,
  asStored,
  changeOf,
  changesSpec,
  placeViolations,
  ruleViolations,
  versionViolations,
} from './scope.ts'

export interface ValidateOptions {
  /** The operator's own namespace, in which there may be no MySQL. */
  operatorNamespace: string
  look: Look
}

/** Judges the resource as it will be stored, once more after every other webhook, and looks at the cluster. */
export const validate =
  ({ operatorNamespace, look }: ValidateOptions): Handler =>
  async (request) => {
    const change = changeOf(request)
    if (!change || !changesSpec(change.object, change.oldObject)) return allowed()
    const { object, oldObject } = change
    const misaddressed = [...versionViolations(request), ...addressViolations(request)]
    if (misaddressed.length > 0) return denied(misaddressed)
    const [now, was] = [asMySQL(object), oldObject && asStored(oldObject)]
    const found = [...placeViolations(request, operatorNamespace), ...ruleViolations(object, oldObject)]
    // What has the wrong shape cannot be looked up.
    if (shapeViolations(now, was).length > 0) return denied(found)
    const seen = await look(request, now, was)
    const all = [...found, ...seen.violations]
    if (all.length > 0) return denied(all, seen.warnings)
    // What is kept in a wrong shape cannot be warned of.
    const advice = schemaViolations(now.spec).length > 0 ? [] : warningsFor(now)
    return allowed([...advice, ...seen.warnings])
  }
