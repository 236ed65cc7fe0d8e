/** Manifests written against the real API server, and what it says of them. */
import type { Cluster } from '../access.ts'
import { mysql, type Written } from './support.ts'
import type { Wrong } from './wrongFields.ts'
import { storedSpec } from './wrongManifests.ts'

/** Name of the MySQL that wrong updates are tried on. */
export const storedName = 'stored'

/** The manifest of a wrong resource; a field that is undefined is left out. */
export const manifestOf = (namespace: string, { name, spec, update }: Wrong) => {
  const right = update
    ? storedSpec
    : { database: 'shop', passwordSecretRef: { name: 'mine', key: 'password' } }
  const inline = spec && 'password' in spec && !('passwordSecretRef' in spec)
  const whole = { ...right, ...(inline ? { passwordSecretRef: undefined } : {}), ...spec } as Written
  return mysql(namespace, update ? storedName : (name ?? 'wrong'), whole)
}

/** `kubectl apply`: exit code and what it says; `options` such as --dry-run=server. */
export const apply = (cluster: Cluster, manifest: object, ...options: string[]) =>
  cluster.run('kubectl', ['apply', ...options, '-f', '-'], {
    input: JSON.stringify(manifest),
    allowFailure: true,
  })

/** Creates several objects at once in a dry run; answers what the API server says of each, empty where it takes it. */
export const judged = async (
  cluster: Cluster,
  manifests: { metadata: { name: string } }[],
): Promise<Map<string, string>> => {
  // Documents and no List: kubectl has the server look for unknown fields only in what is no List.
  const input = manifests.map((manifest) => JSON.stringify(manifest)).join('\n---\n')
  const { stdout, stderr } = await cluster.run('kubectl', ['create', '--dry-run=server', '-f', '-'], {
    input,
    allowFailure: true,
  })
  const verdicts = new Map<string, string>()
  for (const [, name = ''] of stdout.matchAll(/^mysql\.otus\.homework\/(\S+) created/gm))
    verdicts.set(name, '')
  for (const [line, name = ''] of stderr.matchAll(/^.*MySQL\.otus\.homework "([^"]*)" is invalid: .*$/gm)) {
    verdicts.set(name, line)
  }
  const silent = manifests.filter(({ metadata }) => !verdicts.has(metadata.name))
  if (silent.length > 0) throw new Error(`no word about ${JSON.stringify(silent)}: ${stderr}`)
  return verdicts
}
