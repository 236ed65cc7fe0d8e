/** What can be said about the chart without helm; the rest is in test/cluster/chart. */
import { globSync, readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { manager, secretTypes } from '../../src/api/names.ts'
import { generatedLength } from '../../src/passwords/generate.ts'

const chart = 'charts/mysql-operator'
const text = (file: string) => readFileSync(`${chart}/${file}`, 'utf8')
const templates = Object.fromEntries(
  globSync(`${chart}/templates/*`).map((file) => [file.split('/').at(-1) ?? '', readFileSync(file, 'utf8')]),
)
const values: Values = parse(text('values.yaml'))
const schema: Schema = JSON.parse(text('values.schema.json'))

type Values = { [key: string]: unknown }
interface Schema {
  properties?: Record<string, Schema>
  additionalProperties?: unknown
}

const extract = (from: string, pattern: RegExp) => pattern.exec(from)?.[1] ?? ''

const isObject = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Every value's path down to where the schema lists no further names. */
const paths = (value: unknown, at: Schema, prefix = ''): string[] => {
  const { properties } = at
  if (!isObject(value) || !properties || Object.keys(value).length === 0) return [prefix]
  return Object.entries(value).flatMap(([key, inner]) =>
    paths(inner, properties[key] ?? {}, prefix === '' ? key : `${prefix}.${key}`),
  )
}

const schemaPaths = ({ properties }: Schema, prefix = ''): string[] =>
  properties === undefined
    ? [prefix]
    : Object.entries(properties).flatMap(([key, inner]) =>
        schemaPaths(inner, prefix === '' ? key : `${prefix}.${key}`),
      )

describe('the values', () => {
  test('are accepted by their own schema', () => {
    const ajv = new Ajv({ strict: false })
    expect([ajv.validate(schema, values), ajv.errorsText()]).toEqual([true, 'No errors'])
  })

  test('are exactly those that the schema knows, so that a misspelt one is refused and none is forgotten', () => {
    // helm puts `global` there by itself; the parts of issuerRef have no default.
    const known = schemaPaths(schema).filter((path) => path !== 'global' && !path.includes('issuerRef'))
    const given = paths(values, schema).filter((path) => !path.includes('issuerRef'))
    expect(given.toSorted()).toEqual(known.toSorted())
  })

  test('are all used, and no template uses another', () => {
    const used = [
      ...Object.values(templates)
        .join('\n')
        .matchAll(/\.Values\.([\w.]+)/g),
    ].map((match) => match[1] ?? '')
    // The template of the NetworkPolicy goes through its block with `with`, hence the shorter path.
    const covers = (path: string) => used.some((name) => path === name || path.startsWith(`${name}.`))
    const exists = (name: string) =>
      paths(values, schema).some((path) => path === name || path.startsWith(`${name}.`))
    expect(paths(values, schema).filter((path) => !covers(path))).toEqual([])
    expect(used.filter((name) => !exists(name))).toEqual([])
  })
})

describe('what the chart says twice', () => {
  test('the environment is exactly what the process reads', () => {
    const declared = extract(readFileSync('src/config.ts', 'utf8'), /interface Environment \{([^}]*)\}/)
    const read = [...declared.matchAll(/^ {2}([A-Z_]+):/gm)].map((match) => match[1])
    const set = [...(templates['deployment.yaml'] ?? '').matchAll(/- name: ([A-Z_]+)$/gm)].map(
      (match) => match[1],
    )
    expect(read.length).toBeGreaterThan(5)
    expect(set.toSorted()).toEqual(read.toSorted())
  })

  test('how long a generated password may be', () => {
    const { minimum, maximum, default: length } = generatedLength
    expect(schema.properties?.generatedPasswordLength).toEqual({ type: 'integer', minimum, maximum })
    expect(values.generatedPasswordLength).toBe(length)
  })

  test('the policy on Secrets knows all of our types, and our label', () => {
    const policies = templates['operator-policies.yaml'] ?? ''
    const types = extract(policies, /\.\?type\.orValue\(''\) in\n\s*\[([^\]]*)\]/)
    expect(types.split(', ').toSorted()).toEqual(
      Object.values(secretTypes)
        .map((type) => `'${type}'`)
        .toSorted(),
    )
    expect(policies).toContain(`'app.kubernetes.io/managed-by'].orValue('') == '${manager}'`)
  })

  test('no right is a wildcard', () => {
    for (const [file, template] of Object.entries(templates)) {
      expect([file, template.match(/^.*['"[ ]\*['"\] ].*$/m)?.[0]]).toEqual([file, undefined])
    }
  })
})

describe('the policy own-pods', () => {
  /** Every container of the StatefulSets and Jobs that the operator makes. */
  const containers = globSync('test/desired/golden/*.yaml').flatMap((file) =>
    parseAllDocuments(readFileSync(file, 'utf8')).flatMap((document) => {
      const pod = document.toJS()?.spec?.template?.spec
      return pod ? [...pod.containers, ...(pod.initContainers ?? [])] : []
    }),
  )

  test('asks nothing of a container that ours do not have', () => {
    expect(containers.length).toBeGreaterThan(6)
    for (const { securityContext } of containers) {
      expect(securityContext).toMatchObject({ allowPrivilegeEscalation: false, runAsNonRoot: true })
      expect(securityContext.capabilities).toEqual({ drop: ['ALL'] })
      expect(securityContext).not.toHaveProperty('privileged')
      expect(securityContext).not.toHaveProperty('procMount')
    }
    for (const asked of [
      'privileged',
      'allowPrivilegeEscalation',
      'capabilities.add',
      'runAsNonRoot',
      'procMount',
    ]) {
      expect(templates['operator-policies.yaml']).toContain(`c.?securityContext.${asked}.orValue(`)
    }
  })
})

test('the policy secrets-are-the-operators names every type of ours, and only CREATE', () => {
  const policy = (templates['policies.yaml'] ?? '').split('secrets-are-the-operators')[1] ?? ''
  for (const type of Object.values(secretTypes)) expect(policy).toContain(`'${type}'`)
  expect(policy).toContain('operations: [CREATE]\n')
})
