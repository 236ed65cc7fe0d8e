import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { crd } from '../../src/api/crd.ts'
import { generated, pathOf } from '../../src/api/generate.ts'

test.each(Object.entries(generated))(
  '%s is what schema and rules say: otherwise run `npm run generate`',
  (file, text) => {
    expect(readFileSync(pathOf(file), 'utf8')).toBe(text())
  },
)

describe("the chart's CustomResourceDefinition", () => {
  test('is kept when the chart is uninstalled: with it every database would go', () => {
    expect(crd().metadata.annotations['helm.sh/resource-policy']).toBe('keep')
  })
})
