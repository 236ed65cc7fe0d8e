/** The table of the operator's rights in docs/security.md, and what the API server says they are. */
import { readFileSync } from 'node:fs'
import type { Cluster } from './access.ts'

/** What may be done to each resource: verbs in the order of the alphabet, by `resource [name]`, where `all` is any name. */
export type Rights = Record<string, string>

/** One right a resource and name, whichever rule or row it comes from. */
const collected = (all: readonly { resource: string; name: string; verbs: readonly string[] }[]): Rights => {
  const found = new Map<string, Set<string>>()
  for (const { resource, name, verbs } of all) {
    const key = `${resource} [${name}]`
    found.set(key, new Set([...(found.get(key) ?? []), ...verbs]))
  }
  return Object.fromEntries([...found].map(([key, verbs]) => [key, [...verbs].toSorted().join(' ')]))
}

const codeIn = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text)

/** The rights that the documentation lists for these places: `databases`, `cluster`, `own namespace`. */
export const documentedRights = (...places: string[]): Rights => {
  const page = readFileSync('docs/security.md', 'utf8')
  const table = page.slice(page.indexOf('\n## Rights of the operator'), page.indexOf('\n## Policies'))
  const rows = table.split('\n').flatMap((line) => {
    const [, where = '', resources = '', names = '', verbs = '', why = ''] = line
      .split('|')
      .map((cell) => cell.trim())
    if (!places.includes(where)) return []
    if (why === '') throw new Error(`docs/security.md does not say why: ${line}`)
    const of = names.startsWith('all') ? ['all'] : codeIn(names)
    return codeIn(resources).flatMap((resource) =>
      of.map((name) => ({ resource, name, verbs: verbs.split(', ') })),
    )
  })
  return collected(rows)
}

/** What `kubectl auth can-i --list` says of an account in a namespace; paths of the server, which are everybody's, left out. */
export const actualRights = async (cluster: Cluster, account: string, namespace: string): Promise<Rights> => {
  const text = await cluster.kubectl(
    '-n',
    namespace,
    'auth',
    'can-i',
    '--list',
    '--no-headers',
    `--as=${account}`,
  )
  const rights = text.split('\n').flatMap((line) => {
    const [, resource = '', names = '', verbs = ''] = /^(\S+)\s+\[\]\s+\[(.*?)\]\s+\[(.*)\]$/.exec(line) ?? []
    if (resource === '') return []
    return (names === '' ? ['all'] : names.split(' ')).map((name) => ({
      resource,
      name,
      verbs: verbs.split(' '),
    }))
  })
  return collected(rights)
}
