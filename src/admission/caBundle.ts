/** Keeps the CA in the webhook configurations right, so that API servers trust what is served. */

import type { TypedResource } from '../api/resource.ts'
import type { Client, JsonPatchOperation } from '../kube/client.ts'
import { type Clock, systemClock } from '../kube/clock.ts'
import { Informer } from '../kube/informer.ts'
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
  client: Client
  /** Name of both configurations. */
  name: string
  /** What clients are to trust, PEM; undefined: somebody else writes it there. */
  bundle: () => string | undefined
  /** Looks whether there is a newer bundle than this replica knows; false if that could not be found out. */
  refresh: () => Promise<boolean>
  onError: (error: unknown) => void
  clock?: Clock
}

/** Without an event the configurations are looked at again after so long, and after a failure, in milliseconds. */
const [everyMs, retryMs] = [600_000, 15_000]

/**
 * Looks at the configurations whenever `run` is called, when somebody changes them, and now and then. Until the CA is
 * back no MySQL can be written, so waiting for the next look would not do.
 */
export const keepCaBundle = ({
  client,
  name,
  bundle,
  refresh,
  onError,
  clock = systemClock,
}: CaBundleOptions): Periodic => {
  const looks = periodic(
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
    { everyMs, retryMs, onError, clock },
  )
  const watching = new AbortController()
  // Not where somebody else publishes it: then there is no right to look either.
  for (const kind of bundle() === undefined ? [] : kinds) {
    const informer = new Informer(client, kind, {
      fieldSelector: `metadata.name=${name}`,
      onError,
      clock,
    })
    informer.onChange((_object, _previous, deleted) => void (deleted || looks.run()))
    informer.start(watching.signal)
  }
  return {
    run: looks.run,
    stop: () => {
      watching.abort()
      looks.stop()
    },
  }
}
