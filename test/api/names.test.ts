import fc from 'fast-check'
import { expect, test } from 'vitest'
import { longestName, names } from '../../src/api/names.ts'
import { violations } from '../../src/api/rules.ts'
import { mysql } from './fixtures.ts'

const accepted = fc
  .stringMatching(/^[a-z][a-z0-9-]{0,38}[a-z0-9]$/)
  .filter((name) => violations(mysql({ metadata: { name } })).length === 0)

/** Kinds in which two resources' objects would meet. */
const byKind = (name: string) => ({
  Job: [names.restoreJob(name), names.backupJob(name), names.passwordJob(name)],
  Service: [names.service(name), names.pods(name)],
  PersistentVolumeClaim: [names.data(name), names.backups(name)],
})

test('the longest name still gives names of Jobs that a label can carry', () => {
  const name = 'a'.repeat(longestName)
  for (const derived of Object.values(byKind(name)).flat()) expect(derived.length).toBeLessThanOrEqual(63)
})

/** A name made from another one as derived names are: the likeliest to meet it. */
const derivedFrom = (name: string) =>
  fc
    .constantFrom('backup-#', 'restore-#', 'password-change-#', '#-pods', '#-pvc', '#-job', '#-0', '#-config')
    .map((form) => form.replace('#', name))
    .filter((derived) => violations(mysql({ metadata: { name: derived } })).length === 0)

test('two resources never get an object of the same name', () => {
  fc.assert(
    fc.property(
      accepted.filter((n) => n.length < 20).chain((a) => fc.tuple(fc.constant(a), derivedFrom(a))),
      ([a, b]) => {
        fc.pre(a !== b)
        const [one, other] = [byKind(a), byKind(b)]
        for (const kind of Object.keys(one) as (keyof typeof one)[]) {
          expect(one[kind].filter((name) => other[kind].includes(name))).toEqual([])
        }
      },
    ),
  )
})
