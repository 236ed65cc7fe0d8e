import { isDeepStrictEqual } from 'node:util'
import { type MySQL, mysqlKind } from '../api/mysql.ts'
import { requestRules } from '../api/requestRules.ts'
import { explain, type Violation } from '../api/rule.ts'
import { nameRules } from '../api/rules/name.ts'
import { violations } from '../api/rules.ts'
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
 * The API server never asks about one resource and sends another, but for a PATCH of the name, which it refuses itself
 * after this webhook. What is counted and looked up for one of them would be told of the other.
 */
export const addressViolations = ({ name, object, oldObject }: AdmissionRequest): Violation[] =>
  [object, oldObject].every((each) => !each || String(each.metadata.name ?? name) === name)
    ? []
    : [{ field: 'metadata.name', message: explain(requestRules.renamed) }]

/** True for a name that no object can be named after. */
export const isMisnamed = (object: UncheckedObject): boolean =>
  nameRules.some((rule) => rule.broken(asMySQL(object)))

/** Rules on the resource as it will be stored; none on changes that leave the spec alone. */
export const ruleViolations = (
  object: UncheckedObject,
  oldObject: UncheckedObject | undefined,
): Violation[] =>
  changesSpec(object, oldObject) ? violations(asMySQL(object), oldObject && asMySQL(oldObject)) : []

/**
 * The rules look at the spec only where it has the right shape. A name that is yet to be generated is stood in for: the
 * API server adds five characters.
 */
export const asMySQL = (object: UncheckedObject): MySQL => {
  const { name, generateName } = object.metadata
  const metadata =
    typeof name === 'string' && name !== ''
      ? object.metadata
      : { ...object.metadata, name: `${String(generateName ?? '')}xxxxx` }
  return { ...object, metadata } as unknown as MySQL
}
