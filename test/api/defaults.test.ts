import { expect, test } from 'vitest'
import { withDefaults } from '../../src/api/defaults.ts'

test('what is not given, or null, is what the API server would fill in; what is given stays', () => {
  const restored = { restore: { from: 'latest' }, deletionPolicy: 'Backup', deletionProtection: false }
  const made = { image: 'mysql:9.7', user: 'ali', storage_size: '1Gi', ...restored }
  expect(withDefaults({ database: 'shop' })).toMatchObject({ database: 'shop', ...made, backup: { keep: 7 } })
  const given = { database: 5, image: null, restore: {}, passwordSecretRef: { name: 'mine' }, other: 1 }
  const filled = { database: 5, other: 1, passwordSecretRef: { name: 'mine', key: 'password' } }
  expect(withDefaults(given)).toMatchObject({ ...made, ...filled })
  expect(withDefaults({ backup: { keep: 3 } })).toMatchObject({ backup: { keep: 3, suspended: false } })
})

test.each([[null], [[1]], ['x'], [undefined]])('another shape is left as it is: %j', (spec) => {
  expect(withDefaults(spec)).toEqual(spec)
})

test('its argument is left alone', () => {
  const spec = Object.freeze({ restore: Object.freeze({}) })
  expect(withDefaults(spec)).not.toBe(spec)
})
