/** Objects of somebody else that have the names which a new MySQL needs. */
import type { MySQL } from '../../api/mysql.ts'
import { labels, manager, names } from '../../api/names.ts'
import type { TypedResource } from '../../api/resource.ts'
import {
  type AnyKind,
  ConfigMap,
  NetworkPolicy,
  PersistentVolumeClaim,
  Secret,
  Service,
  StatefulSet,
} from '../../kube/kinds.ts'
import { answered, type Inquiry, nothing, type Seen, together, warning, writerMay } from './inquiry.ts'

/** The Jobs are left out: they come and go, and each is made only when it is needed. */
const needed = ({ metadata: { name }, spec }: MySQL): [kind: AnyKind, names: string[]][] => {
  const generated = names.generatedRoot(name)
  const own = spec.passwordSecretRef?.name === generated ? [generated] : []
  return [
    [PersistentVolumeClaim, [names.data(name), names.backups(name)]],
    [Service, [names.service(name), names.pods(name)]],
    [StatefulSet, [names.workload(name)]],
    [ConfigMap, [names.config(name)]],
    [Secret, [names.operatorSecret(name), names.initSecret(name), ...own]],
    [NetworkPolicy, [names.networkPolicy(name)]],
  ]
}

/** A name that is taken is a warning: its object may go, or, if it is a claim, be handed over. */
export const lookAtNames = async (inquiry: Inquiry): Promise<Seen> => {
  if (inquiry.was) return nothing
  const seen = await Promise.all(
    needed(inquiry.now).map(([kind, wanted]) => lookAtKind(inquiry, kind, wanted)),
  )
  if (seen.includes(unknown)) {
    return together([...seen.filter((each) => each !== unknown), warning(unknownNames)])
  }
  return together(seen)
}

const unknown: Seen = { violations: [], warnings: [] }
const unknownNames =
  'it could not be looked up whether all names that this MySQL needs are free; the status will tell of those that are not'

/** Looks only if the writer may do so too, for every name: that an object exists is told to nobody else. */
const lookAtKind = async (inquiry: Inquiry, kind: AnyKind, wanted: string[]): Promise<Seen> => {
  const { client, request, now, signal } = inquiry
  const permission = await writerMay(inquiry, 'get', kind)
  if (!permission.inTime) return unknown
  if (!permission.value) return nothing
  const { namespace } = request
  const found = await answered(signal, () =>
    Promise.all(wanted.map((name) => client.get(kind, { namespace, name }, { signal }))),
  )
  if (!found.inTime) return unknown
  const taken = found.value.filter((object) => object !== undefined && isForeign(object, now))
  return warning(
    ...taken.map(
      (object) =>
        `${kind.kind} ${object?.metadata.name} exists and is not this MySQL's; the database waits until it is renamed or deleted${handedOver(kind)}`,
    ),
  )
}

const handedOver = (kind: AnyKind) =>
  kind === (PersistentVolumeClaim as AnyKind) ? ', or handed over with the command in the status' : ''

/** What a former MySQL of the name left is taken over; what is on its way out will not be in the way. */
const isForeign = ({ metadata }: TypedResource, { metadata: { name } }: MySQL): boolean =>
  metadata.deletionTimestamp === undefined &&
  !(metadata.labels?.[labels.managedBy] === manager && metadata.labels[labels.instance] === name)
