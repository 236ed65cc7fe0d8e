/** Keeps the CA in the webhook configurations right, so that API servers trust what is served. */

import type { TypedResource } from '../api/resource.ts'
import type { Client, JsonPatchOperation } from '../kube/client.ts'
import type { Clock } from '../kube/clock.ts'
import { type Kind, MutatingWebhookConfiguration, ValidatingWebhookConfiguration } from '../kube/kinds.ts'
import { type Periodic, periodic } from './periodic.ts'

interface Configuration extends TypedResource {
  webhooks?: { name: string; clientConfig: { caBundle?: string; service?: unknown } }[]
}

/** The two kinds have in common all that is read here. */
const kinds: readonly Kind<Configuration>[] = [
  MutatingWebhookConfiguration as Kind<Configuration>,
  ValidatingWebhookConfiguration as Kind<Configuration>,
]

type Patcher = Pick<Client, 'get' | 'patch'>

/**
 * Writes `bundle` into the configurations called `name` where it differs, and nowhere else. One that does not exist is
 * left to whoever installs it. `confirm` is asked before the first write: another replica may know a newer bundle.
 */
export const publishBundle = async (
  client: Patcher,
  name: string,
  bundle: string,
  confirm: () => Promise<string>,
): Promise<void> => {
  for (const kind of kinds) {
    const found = await client.get(kind, { name })
    if (!found || changes(found, bundle).length === 0) continue
    const patch = changes(found, await confirm())
    if (patch.length > 0) await client.patch(kind, { name }, patch, 'json')
  }
}

/** The test goes first, so that a list which somebody has reordered meanwhile is left alone. */
const changes = ({ webhooks = [] }: Configuration, bundle: string): JsonPatchOperation[] => {
  const value = Buffer.from(bundle).toString('base64')
  return webhooks.flatMap(({ name, clientConfig }, index) => {
    if (!clientConfig.service || clientConfig.caBundle === value) return []
    return [
      { op: 'test', path: `/webhooks/${index}/name`, value: name },
      { op: 'add', path: `/webhooks/${index}/clientConfig/caBundle`, value },
    ]
  })
}

export interface CaBundleOptions {
  client: Patcher
  /** Name of both configurations. */
  name: string
  /** What clients are to trust, PEM; undefined: somebody else writes it there. */
  bundle: () => string | undefined
  /** Looks whether there is a newer bundle than this replica knows; false if that could not be found out. */
  refresh: () => Promise<boolean>
  onError: (error: unknown) => void
  /** Looked at again after so many milliseconds; 10 minutes. */
  everyMs?: number
  clock?: Clock
}

/** Looks at the configurations now and then, and whenever `run` is called. */
export const keepCaBundle = ({
  client,
  name,
  bundle,
  refresh,
  onError,
  everyMs = 600_000,
  clock,
}: CaBundleOptions): Periodic =>
  periodic(
    async () => {
      const known = bundle()
      if (known === undefined) return
      await publishBundle(client, name, known, async () => {
        // With a bundle of yesterday one replica would undo what another one has published.
        if (!(await refresh()))
          throw new Error('the newest CA could not be read, so none is published: see the log')
        return bundle() ?? known
      })
    },
    { everyMs, retryMs: 15_000, onError, clock },
  )
