/** Keeps the documentation true where a machine can tell. */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Counter } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { settlePasswords } from '../src/admission/inlinePasswords.ts'
import { reasons } from '../src/api/conditions.ts'
import type { MySQL } from '../src/api/mysql.ts'
import { violations } from '../src/api/rules.ts'
import { specSchema } from '../src/api/schema.ts'
import { events } from '../src/kube/events.ts'
import { createMetrics } from '../src/metrics.ts'
import { defaulted, type Loose, passwordInputs } from './admission/fixtures.ts'

const read = (file: string) => readFileSync(file, 'utf8')
const pages = globSync(['*.md', 'docs/**/*.md', 'charts/**/*.md', 'certs/*.md', 'test/**/*.md'])
const headings = (page: string) => [...read(page).matchAll(/^#+ (.*)$/gm)].map(([, text]) => text ?? '')

describe('the runbooks', () => {
  const runbooks = read('docs/runbooks.md')
  const titles = headings('docs/runbooks.md').flatMap((heading) => heading.split(' · '))
  const harmless = runbooks.slice(
    runbooks.indexOf('## Nothing to do'),
    runbooks.indexOf('\n## ', runbooks.indexOf('## Nothing to do') + 1),
  )
  const known = Object.entries(reasons).flatMap(([type, all]) => all.map((reason) => `${type}: ${reason}`))
  const warnings = Object.values(events).flatMap(({ type, reason }) => (type === 'Warning' ? [reason] : []))

  test.each(known)('say what to do about %s, or that there is nothing to do', (reason) => {
    expect(titles.includes(reason) || harmless.includes(`\`${reason}\``)).toBe(true)
  })

  test.each(warnings)('say what to do about the event %s', (reason) => {
    expect(titles).toContain(`event ${reason}`)
  })

  test('are about reasons and events that there are', () => {
    const about = titles.filter((title) => /^(event \w+|[A-Z]\w+: [A-Z]\w+)$/.test(title))
    expect([...known, ...warnings.map((reason) => `event ${reason}`)]).toEqual(expect.arrayContaining(about))
  })
})

describe('the operations page', () => {
  test('lists every metric of the operator with its labels and its meaning', async () => {
    const { registry } = createMetrics({
      leading: () => true,
      queueDepth: () => 0,
      mysqls: () => [],
      silence: () => 0,
      informers: () => ({ failures: 0, repaired: 0 }),
      leafExpiry: () => new Date(),
      authorityExpiry: () => new Date(),
    })
    const own = (registry.getMetricsAsArray() as unknown as Loose[]).filter(({ name }) =>
      name.startsWith('mysql_operator_'),
    )
    expect(own.length).toBeGreaterThan(10)
    const total = (metric: object) => (metric instanceof Counter ? '_total' : '')
    const rows = own.map((metric) => {
      const { name, labelNames, help } = metric
      const labels = labelNames.map((label: string) => `\`${label}\``).join(', ')
      return `| \`${name}${total(metric)}\` |${labels && ` ${labels}`} | ${help} |`
    })
    const table = read('docs/operations.md').split('\n')
    expect(table).toEqual(expect.arrayContaining(rows))
  })
})

/** A heading's anchor, as GitHub makes it. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')

describe.each(pages)('%s', (page) => {
  const links = [...read(page).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)]

  test('links to what there is', () => {
    for (const [, path = '', anchor] of links) {
      const target = path === '' ? page : join(dirname(page), path)
      expect(existsSync(target), `${path} from ${page}`).toBe(true)
      if (anchor !== undefined) expect(headings(target).map(anchorOf)).toContain(anchor)
    }
  })

  test('names only fields of the spec that there are', () => {
    const named = [...read(page).matchAll(/`spec\.(\w+)/g)].map(([, field]) => field)
    expect(Object.keys(specSchema.properties)).toEqual(expect.arrayContaining(named))
  })
})

/** Every manifest of a MySQL in a text: from its first line to an empty one, or the end of its block. */
const manifestsIn = (text: string): Loose[] =>
  text
    .split(/\n\s*(?:END|EOF|```)?\s*(?=\n|$)/)
    .map((block) => /^ *apiVersion: otus\.homework\/v1\n(.|\n)*$/m.exec(block)?.[0])
    .filter((manifest) => manifest !== undefined)
    .map((manifest) => parse(manifest))

const written = [...pages, 'charts/mysql-operator/templates/NOTES.txt'].flatMap((page) =>
  manifestsIn(read(page)).map((manifest) => [page, manifest] as const),
)
const examples = globSync('docs/examples/*.yaml').flatMap((file) =>
  parseAllDocuments(read(file))
    .map((document) => document.toJS() as Loose)
    .filter(({ kind }) => kind === 'MySQL')
    .map((manifest) => [file, manifest] as const),
)

describe('every manifest of a MySQL that is shown', () => {
  test('is found', () => {
    expect(written.map(([page]) => page)).toEqual(
      expect.arrayContaining(['README.md', 'docs/getting-started.md']),
    )
    expect(examples.length).toBeGreaterThan(1)
  })

  test.each([...written, ...examples])('in %s is accepted', async (_, manifest) => {
    expect(Object.keys(specSchema.properties)).toEqual(expect.arrayContaining(Object.keys(manifest.spec)))
    const object = { ...manifest, spec: defaulted(manifest.spec) }
    for (const reference of [object.spec.passwordSecretRef, object.spec.userPasswordSecretRef])
      if (reference) reference.key ??= 'password'
    const settled = await settlePasswords('team', object, undefined, passwordInputs().inputs)
    expect(settled.violations).toEqual([])
    expect(violations(settled.object as unknown as MySQL)).toEqual([])
  })
})

describe('what the chart has is documented', () => {
  test('every value', () => {
    const values = Object.keys(parse(read('charts/mysql-operator/values.yaml')))
    const page = read('charts/mysql-operator/README.md')
    expect(values.filter((value) => !page.includes(`\`${value}`))).toEqual([])
  })

  test('every right, with its reason', () => {
    const named = [...read('charts/mysql-operator/templates/rbac.yaml').matchAll(/resources: \[(.*)\]/g)]
    const resources = named.flatMap(([, list = '']) => list.split(', '))
    // There with their groups, and with verbs and names that only a cluster can be asked about.
    const documented = new Set(
      [...read('docs/security.md').matchAll(/`([a-z]+)(?:\.[a-z0-9.]+)?(\/\w+)?`/g)].map(
        ([, resource, part = '']) => `${resource}${part}`,
      ),
    )
    expect(resources.length).toBeGreaterThan(15)
    expect(resources.filter((one) => !documented.has(one))).toEqual([])
  })

  test('every policy', () => {
    const templates = ['policies', 'operator-policies'].map((name) =>
      read(`charts/mysql-operator/templates/${name}.yaml`),
    )
    const names = templates.join('\n').matchAll(/policyName: \{\{ \$name \}\}-(\S+)/g)
    const page = read('docs/security.md')
    expect([...names].flatMap(([, name]) => (page.includes(`| \`${name}\` |`) ? [] : [name]))).toEqual([])
  })
})
