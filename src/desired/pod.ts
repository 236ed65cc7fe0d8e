import type { V1Container, V1PodSpec, V1ResourceRequirements } from '@kubernetes/client-node'
import type { MySQL } from '../api/mysql.ts'
import type { Wire } from '../api/resource.ts'

export type Container = Wire<V1Container>
export type PodSpec = Wire<V1PodSpec>
type Amounts = Record<string, string | number>

/** Image and pull policy of every container: the Jobs need a client of the server's own version. */
export const image = ({ spec }: MySQL): Pick<Container, 'image' | 'imagePullPolicy'> => ({
  image: spec.image,
  ...(spec.imagePullPolicy === undefined ? {} : { imagePullPolicy: spec.imagePullPolicy }),
})

/** Where a pod may run and how its image is fetched. */
export const placement = ({ spec }: MySQL): Partial<PodSpec> => ({
  ...(spec.nodeSelector === undefined ? {} : { nodeSelector: spec.nodeSelector }),
  ...(spec.tolerations === undefined ? {} : { tolerations: spec.tolerations }),
  ...(spec.priorityClassName === undefined ? {} : { priorityClassName: spec.priorityClassName }),
  ...(spec.imagePullSecrets === undefined ? {} : { imagePullSecrets: spec.imagePullSecrets }),
})

const asText = (amounts: Amounts) =>
  Object.fromEntries(Object.entries(amounts).map(([name, amount]) => [name, String(amount)]))

/** `spec.resources` with the amounts as text, which is how the API server stores them; undefined if there are none. */
export const databaseResources = ({ spec }: MySQL): V1ResourceRequirements | undefined => {
  const { limits, requests } = spec.resources ?? {}
  if (limits === undefined && requests === undefined) return undefined
  return {
    ...(limits === undefined ? {} : { limits: asText(limits as Amounts) }),
    ...(requests === undefined ? {} : { requests: asText(requests as Amounts) }),
  }
}

/** The claim's uid as the scripts take it. Throws a TypeError for anything that is no uid, since it ends up in SQL. */
export const requireUid = (uid: string): string => {
  if (!/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uid))
    throw new TypeError('the claim has no uid: read it from the API server first')
  return uid
}
