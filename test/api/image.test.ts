import { expect, test } from 'vitest'
import {
  isEndOfLife,
  isFloating,
  needsNativePassword,
  skippedSeries,
  tagOf,
  versionOf,
} from '../../src/api/image.ts'

test.each([
  ['mysql:9.7', { major: 9, minor: 7 }],
  ['mysql:8.0.33-debian', { major: 8, minor: 0, patch: 33 }],
  ['registry.example:5000/team/mysql:8.4.5', { major: 8, minor: 4, patch: 5 }],
  ['mysql:9.7@sha256:abc', { major: 9, minor: 7 }],
  ['mysql:latest', undefined],
  ['mysql', undefined],
  ['registry.example:5000/mysql', undefined],
])('the version of %s is read from its tag', (image, version) => {
  expect(versionOf(image)).toEqual(version)
})

test('a port is not a tag', () => {
  expect(tagOf('registry.example:5000/mysql')).toBeUndefined()
})

test('no tag and `latest` float, a digest does not', () => {
  expect([
    isFloating('mysql'),
    isFloating('mysql:latest'),
    isFloating('mysql:9.7'),
    isFloating('mysql@sha256:a'),
  ]).toEqual([true, true, false, false])
})

test('only servers older than 8.0 need the native plugin', () => {
  expect(['mysql:5.7', 'mysql:8.0', 'mysql:stable'].map(needsNativePassword)).toEqual([true, false, false])
})

test('8.0 and older get no fixes any more', () => {
  expect(['mysql:5.7', 'mysql:8.0.40', 'mysql:8.4', 'mysql:9.7'].map(isEndOfLife)).toEqual([
    true,
    true,
    false,
    false,
  ])
})

test('an upgrade may go to the next long-term series and no further', () => {
  expect(skippedSeries({ major: 8, minor: 0 }, { major: 8, minor: 4 })).toBeUndefined()
  expect(skippedSeries({ major: 8, minor: 0 }, { major: 9, minor: 7 })).toBe('8.4')
  expect(skippedSeries({ major: 5, minor: 7 }, { major: 8, minor: 4 })).toBe('8.0')
  expect(skippedSeries({ major: 9, minor: 7, patch: 1 }, { major: 9, minor: 7, patch: 4 })).toBeUndefined()
})
