/** The chart as helm renders it, without a cluster. */
import { delimiter } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { binariesFolder } from '../binaries.ts'
import { run } from '../processes.ts'

/** The release that is rendered; its namespace is another, so that one is not taken for the other. */
export const release = 'mysql-operator'
export const namespace = 'mysql-system'

export interface Rule {
  apiGroups?: string[]
  resources?: string[]
  resourceNames?: string[]
  nonResourceURLs?: string[]
  verbs: string[]
}

/** An object of the chart: what the tests look into. */
export interface Rendered {
  kind: string
  metadata: {
    name: string
    namespace?: string
    labels?: Record<string, string>
    annotations?: Record<string, string>
  }
  rules?: Rule[]
  webhooks?: Record<string, unknown>[]
  // biome-ignore lint/suspicious/noExplicitAny: manifests of a dozen kinds, of which each test reads a few fields
  spec?: any
}

/** `helm template` with `values` as `--set-json`. Rejects with what helm says. */
export const render = async (values: Record<string, unknown> = {}): Promise<Rendered[]> => {
  const set = Object.entries(values).flatMap(([key, value]) => [
    '--set-json',
    `${key}=${JSON.stringify(value)}`,
  ])
  const { stdout } = await run(
    'helm',
    // A helm that was built from source takes itself for one of an old Kubernetes.
    ['template', release, 'charts/mysql-operator', '-n', namespace, '--kube-version', '1.34.0', ...set],
    { env: { ...process.env, PATH: `${binariesFolder()}${delimiter}${process.env.PATH ?? ''}` } },
  )
  return parseAllDocuments(stdout).flatMap((document) => {
    if (document.errors[0]) throw document.errors[0]
    const object = document.toJS() as Rendered | null
    return object ? [object] : []
  })
}

/** The one object of that kind and name. */
export const find = (objects: Rendered[], kind: string, name = release): Rendered => {
  const [found, ...more] = objects.filter((one) => one.kind === kind && one.metadata.name === name)
  if (!found || more.length > 0) throw new Error(`there is not one ${kind} ${name} in the chart`)
  return found
}
