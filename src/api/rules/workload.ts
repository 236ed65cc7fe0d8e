import { isOlder, skippedSeries, versionOf } from '../image.ts'
import type { MySQL } from '../mysql.ts'
import { compareQuantities, parseQuantity } from '../quantity.ts'
import type { Rule } from '../rule.ts'

const imagePattern = '^[A-Za-z0-9][A-Za-z0-9._:/@+-]*$'
const labelValue = /^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$/
const labelKey = /^([a-z0-9]([a-z0-9.-]*[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/

/** What the server reported of itself knows better than a tag what there is to go back from. */
const runningVersion = (mysql: MySQL) =>
  mysql.status?.version === undefined ? undefined : versionOf(`mysql:${mysql.status.version}`)

const versions = (now: MySQL, was?: MySQL) => {
  const to = versionOf(now.spec.image)
  const from = runningVersion(was ?? now) ?? (was ? versionOf(was.spec.image) : undefined)
  return to && from ? { from, to } : undefined
}

const amounts = ({ spec }: MySQL) => [
  ...Object.entries(spec.resources?.limits ?? {}),
  ...Object.entries(spec.resources?.requests ?? {}),
]

const requestAboveLimit = ({ spec }: MySQL) =>
  Object.entries(spec.resources?.requests ?? {}).some(([name, request]) => {
    const limit = spec.resources?.limits?.[name]
    return limit !== undefined && compareQuantities(String(request), String(limit)) === 1
  })

/** Rules on the pod. */
export const workloadRules: Rule[] = [
  {
    field: 'spec.image',
    refusal: 'is not an image reference',
    remedy: 'write a name with a tag, such as mysql:9.7',
    cel: { at: 'spec', rule: `!has(self.image) || self.image.matches('${imagePattern}')` },
    broken: ({ spec }) => !new RegExp(imagePattern).test(spec.image),
  },
  {
    field: 'spec.image',
    refusal: 'is older than the image before, and MySQL cannot go back',
    remedy:
      'put the newer image back; to go back, make a second resource with the old image and load a dump into it',
    asksServer: true,
    broken: (now, was) => {
      const both = versions(now, was)
      return both !== undefined && isOlder(both.to, both.from)
    },
  },
  {
    field: 'spec.image',
    refusal: 'skips a long-term series, which MySQL does not support',
    remedy: 'go from one series to the next: 5.7, 8.0, 8.4, 9.7',
    asksServer: true,
    broken: (now, was) => {
      const both = versions(now, was)
      return both !== undefined && skippedSeries(both.from, both.to) !== undefined
    },
  },
  {
    field: 'spec.resources',
    refusal: 'holds something that is not an amount',
    remedy: 'write amounts as in a Pod, such as 500m of cpu and 1Gi of memory',
    broken: (now) => amounts(now).some(([, amount]) => parseQuantity(String(amount)) === undefined),
  },
  {
    field: 'spec.resources',
    refusal: 'requests more than it allows itself',
    remedy: 'raise the limit or lower the request',
    broken: requestAboveLimit,
  },
  {
    field: 'spec.nodeSelector',
    refusal: 'holds something that is not a label',
    remedy: 'use labels that `kubectl get nodes --show-labels` lists',
    broken: ({ spec }) =>
      Object.entries(spec.nodeSelector ?? {}).some(
        ([key, value]) => !labelKey.test(key) || !labelValue.test(value),
      ),
  },
  {
    field: 'spec.priorityClassName',
    refusal: 'is not the name of a PriorityClass',
    remedy: 'use a name that `kubectl get priorityclass` lists',
    cel: {
      at: 'spec',
      rule: "!has(self.priorityClassName) || self.priorityClassName.matches('^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$')",
    },
    broken: ({ spec }) =>
      spec.priorityClassName !== undefined &&
      !/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(spec.priorityClassName),
  },
]
