import { schemaViolations } from '../api/rules.ts'
import { warningsFor } from '../api/warnings.ts'
import type { Look } from './lookups.ts'
import { allowed, denied, type Handler } from './review.ts'
import { asMySQL, changeOf, changesSpec, placeViolations, ruleViolations } from './scope.ts'

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
    const found = [...placeViolations(request, operatorNamespace), ...ruleViolations(object, oldObject)]
    // What has the wrong shape cannot be looked up.
    if (schemaViolations(object.spec).length > 0) return denied(found)
    const seen = await look(request, asMySQL(object), oldObject && asMySQL(oldObject))
    const all = [...found, ...seen.violations]
    return all.length > 0
      ? denied(all, seen.warnings)
      : allowed([...warningsFor(asMySQL(object)), ...seen.warnings])
  }
