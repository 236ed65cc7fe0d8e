import { isDeepStrictEqual } from 'node:util'
import { withDefaults } from '../api/defaults.ts'
import { type MySQL, mysqlKind } from '../api/mysql.ts'
import { apiVersion } from '../api/names.ts'
import { requestRules } from '../api/requestRules.ts'
import { explain, type Violation } from '../api/rule.ts'
import { nameRules } from '../api/rules/name.ts'
import { violations } from '../api/rules.ts'
import { isRecord } from './record.ts'
import type { AdmissionRequest, UncheckedObject } from './review.ts'

/** A request that the webhooks have a say in. */
export interface Change {
  object: UncheckedObject
  /** The stored object on an UPDATE. */
  oldObject: UncheckedObject | undefined
}

/**
 * The change that a request is about; undefined for what is let through: other operations and kinds, subresources, and
 * objects on their way out, which must be able to go whatever is wrong with them.
 */
export const changeOf = (request: AdmissionRequest): Change | undefined => {
  const { operation, object, subResource } = request
  if (!object || subResource !== '' || object.kind !== mysqlKind) return undefined
  // The server removes a deletionTimestamp from what is created, but only after this webhook: it counts for nothing.
  if (operation === 'CREATE') return { object, oldObject: undefined }
  if (operation !== 'UPDATE' || request.oldObject?.metadata.deletionTimestamp !== undefined) return undefined
  return { object, oldObject: request.oldObject }
}

/** False for changes of metadata and status alone: those are never judged, so that labels and finalizers can go. */
export const changesSpec = (object: UncheckedObject, oldObject: UncheckedObject | undefined): boolean =>
  !oldObject || !isDeepStrictEqual(object.spec, oldObject.spec)

/** A MySQL beside the operator could not be deleted together with it: nobody would be left to let it go. */
export const placeViolations = (request: AdmissionRequest, operatorNamespace: string): Violation[] =>
  request.operation === 'CREATE' && request.namespace === operatorNamespace
    ? [{ field: 'metadata.namespace', message: explain(requestRules.operatorsNamespace) }]
    : []

/**
 * The API server never asks about one resource and sends another, but for a PATCH of name or namespace, which it refuses
 * itself after this webhook. What is counted and looked up for one of them would be told of the other. A name that is yet
 * to be generated is missing in both.
 */
export const addressViolations = (request: AdmissionRequest): Violation[] =>
  (['name', 'namespace'] as const)
    .filter((part) =>
      [request.object, request.oldObject].some(
        (each) => each && String(each.metadata[part] ?? request[part]) !== request[part],
      ),
    )
    .map((part) => ({
      field: `metadata.${part}`,
      message: explain(requestRules.renamed),
    }))

/** The rules are about one version, into which the API server converts every other before it asks. */
export const versionViolations = ({ object, oldObject }: AdmissionRequest): Violation[] =>
  [object, oldObject].every((each) => !each || (each.apiVersion === apiVersion && each.kind === mysqlKind))
    ? []
    : [{ field: 'apiVersion', message: explain(requestRules.otherVersion) }]

/** True for a name that no object can be named after. */
export const isMisnamed = (object: UncheckedObject): boolean =>
  nameRules.some((rule) => rule.broken(asMySQL(object)))

/** Rules on the resource as it will be stored; none on changes that leave the spec alone. */
export const ruleViolations = (
  object: UncheckedObject,
  oldObject: UncheckedObject | undefined,
): Violation[] =>
  changesSpec(object, oldObject) ? violations(asMySQL(object), oldObject && asStored(oldObject)) : []

/**
 * The rules look at the spec only where it has the right shape, with defaults: a forged review has none. A name that is yet to be generated is stood in for: the
 * API server adds five characters.
 */
export const asMySQL = (object: UncheckedObject): MySQL => {
  const { name, generateName } = object.metadata
  const metadata =
    typeof name === 'string' && name !== ''
      ? object.metadata
      : { ...object.metadata, name: `${String(generateName ?? '')}xxxxx` }
  return { ...object, metadata, spec: withDefaults(object.spec) } as unknown as MySQL
}

/** The same of a stored object, which may be older than the rule that there is a spec. */
export const asStored = (object: UncheckedObject): MySQL => ({
  ...asMySQL(object),
  spec: withDefaults(isRecord(object.spec) ? object.spec : {}) as MySQL['spec'],
})
