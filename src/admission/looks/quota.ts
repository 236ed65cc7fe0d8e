/** ResourceQuotas that leave no room for a new MySQL. */
import type { MySQL } from '../../api/mysql.ts'
import { parseQuantity } from '../../api/quantity.ts'
import { ResourceQuota } from '../../kube/kinds.ts'
import { answered, type Inquiry, nothing, type Seen, warning, writerMay } from './inquiry.ts'

/** What a quota counts as objects; with `count/` in front of it, it means the same. */
const objects = {
  persistentvolumeclaims: 2,
  pods: 1,
  services: 2,
  configmaps: 1,
  secrets: 3,
  'statefulsets.apps': 1,
  'jobs.batch': 1,
}

/** At least so much of each resource, in thousandths. Jobs come on top of it, so more may be needed, never less. */
const needs = ({ spec }: MySQL): Map<string, bigint> => {
  const needed = new Map<string, bigint>()
  const need = (resource: string, amount: bigint | undefined) => {
    if (amount !== undefined && amount > 0n) needed.set(resource, amount)
  }
  for (const [name, count] of Object.entries(objects)) {
    need(name, BigInt(count) * 1000n)
    need(`count/${name}`, BigInt(count) * 1000n)
  }
  const storage = (parseQuantity(spec.storage_size) ?? 0n) * 2n
  need('requests.storage', storage)
  if (spec.storageClassName !== undefined) {
    const ofClass = `${spec.storageClassName}.storageclass.storage.k8s.io`
    need(`${ofClass}/requests.storage`, storage)
    need(`${ofClass}/persistentvolumeclaims`, 2000n)
  }
  const { limits = {}, requests = {} } = spec.resources ?? {}
  for (const [name, amount] of Object.entries(limits)) need(`limits.${name}`, parseQuantity(String(amount)))
  // What is only limited is requested as well.
  for (const [name, amount] of Object.entries({ ...limits, ...requests })) {
    need(`requests.${name}`, parseQuantity(String(amount)))
    need(name, parseQuantity(String(amount)))
  }
  return needed
}

/** Names of resources of which the quota has less left than is needed. Quotas of some pods only are not judged. */
const exceeded = ({ spec, status }: ResourceQuota, needed: ReadonlyMap<string, bigint>): string[] => {
  if (spec?.scopes !== undefined || spec?.scopeSelector !== undefined) return []
  return Object.entries(spec?.hard ?? {}).flatMap(([resource, hard]) => {
    const need = needed.get(resource)
    const most = parseQuantity(hard)
    const used = parseQuantity(status?.used?.[resource] ?? '0')
    const short = need !== undefined && most !== undefined && used !== undefined && used + need > most
    return short ? [resource] : []
  })
}

/** Most resources that one warning names: it has 256 characters. */
const mostNamed = 3

/** Only of a new MySQL, and only if its writer may see the quotas. */
export const lookAtQuota = async (inquiry: Inquiry): Promise<Seen> => {
  const { client, request, now, was, signal } = inquiry
  if (was) return nothing
  const permission = await writerMay(inquiry, 'list', ResourceQuota)
  if (permission.inTime && !permission.value) return nothing
  const { namespace } = request
  const quotas = permission.inTime
    ? await answered(signal, () => client.list(ResourceQuota, { namespace, signal }))
    : permission
  if (!quotas.inTime)
    return warning('the ResourceQuotas could not be looked up; the status will tell if one leaves no room')
  const needed = needs(now)
  return warning(
    ...quotas.value.items.flatMap((quota) => {
      const short = exceeded(quota, needed)
      const told = short.slice(0, mostNamed).join(', ').slice(0, 120)
      return short.length === 0
        ? []
        : `a ResourceQuota leaves no room for ${told} of a new MySQL; it waits until one does: ask for less, or have the quota raised`
    }),
  )
}
