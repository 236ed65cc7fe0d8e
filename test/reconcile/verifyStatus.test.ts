import { expect, test } from 'vitest'
import type { MySQLStatus } from '../../src/api/schema.ts'
import { backedUpFinding, backupStatus } from '../../src/reconcile/backupStatus.ts'
import type { Observed } from '../../src/reconcile/observe.ts'
import { verifiedFinding } from '../../src/reconcile/verifyStatus.ts'
import { mysql } from '../api/fixtures.ts'
import { job, now, observed } from './fixtures.ts'

const file = 'shop-2.sql.gz'
const startedAt = '2026-01-02T03:05:00Z'
const before = {
  file,
  lastSuccess: '2026-01-02T03:00:00Z',
  verifiedAt: '2026-01-01T03:06:00Z',
  sinceVerified: 7,
}
const report = (flaw: string | null, about = file) =>
  JSON.stringify({ file: about, tables: 3, version: '9.7.4', flaw })
const condition = (reason: string, status: 'True' | 'False' | 'Unknown') => ({
  type: 'BackupVerified',
  status,
  reason,
  message: 'of the one before',
  lastTransitionTime: '2026-01-01T03:06:00Z',
})
const proven = { conditions: [condition('Verified', 'True')] }
const after = (verify: Partial<Parameters<typeof job>[0]>, status: MySQLStatus = {}) =>
  observed({
    mysql: mysql({ status: { backup: before, ...status } }),
    verify: job({ verifies: file, ...verify }),
  })
const noted = (result: string, more: object = {}) => ({
  ...before,
  verification: { startedAt, file, result },
  ...more,
})

interface Case {
  o: Observed
  backup: unknown
  status: string
  reason: string
  words?: RegExp
}
const cases: Record<string, Case> = {
  'a dump that was restored': {
    o: after({ report: report(null) }),
    backup: noted('Good', { verifiedAt: '2026-01-02T03:06:00Z', sinceVerified: 0 }),
    status: 'True',
    reason: 'Verified',
    words: /^shop-2\.sql\.gz was restored into a throw-away server, 9\.7\.4: 3 tables\.$/,
  },
  'a dump that is bad, after one that was not': {
    o: after({ state: 'failed', report: report('its sha256 is not the one') }, proven),
    backup: noted('Bad', { sinceVerified: 0 }),
    status: 'False',
    reason: 'Bad',
    words: /^shop-2\.sql\.gz is bad: its sha256 is not the one\. It is kept/,
  },
  'a verification that failed itself': {
    o: after({ state: 'failed', report: '{"error":"the volume for the throw-away server is full"}' }, proven),
    backup: noted('Unknown'),
    status: 'Unknown',
    reason: 'Failed',
    words: /is not known: the volume for the throw-away server is full\. The next dump is tried\.$/,
  },
  'a verification that took too long': {
    o: after({ state: 'failed', timedOut: true }),
    backup: noted('Unknown'),
    status: 'Unknown',
    reason: 'Failed',
    words: /took longer than spec\.backup\.timeoutSeconds/,
  },
  'a verification that says nothing': {
    o: after({}),
    backup: noted('Unknown'),
    status: 'Unknown',
    reason: 'Failed',
    words: /kubectl logs job\/verify-shop-job/,
  },
  'a verification that says something of another dump': {
    o: after({ report: report(null, 'shop-1.sql.gz') }),
    backup: noted('Unknown'),
    status: 'Unknown',
    reason: 'Failed',
  },
  'a verification that failed after an attempt that found nothing': {
    o: after({ state: 'failed', report: report(null) }),
    backup: noted('Unknown'),
    status: 'Unknown',
    reason: 'Failed',
  },
  'a verification that succeeded and tells of a flaw': {
    o: after({ report: report('odd') }),
    backup: noted('Unknown'),
    status: 'Unknown',
    reason: 'Failed',
  },
  'a verification whose report is on its way: what was true stays true': {
    o: after({ state: 'failed', finishedAt: '2026-01-02T03:59:50Z' }, proven),
    backup: before,
    status: 'True',
    reason: 'Verified',
    words: /of the one before/,
  },
  'a verification that was removed half way comes to nothing': {
    o: after({ state: 'deleting' }, proven),
    backup: before,
    status: 'True',
    reason: 'Verified',
  },
  'a verification under way, after one': {
    o: after({ state: 'running' }, { conditions: [condition('Bad', 'False')] }),
    backup: before,
    status: 'False',
    reason: 'Bad',
  },
  'a verification that does not start, after one': {
    o: after({ state: 'running', started: false, unschedulable: 'Unschedulable: exceeded quota' }, proven),
    backup: before,
    status: 'Unknown',
    reason: 'Waiting',
    words: /^The verification of shop-2\.sql\.gz has not started: Unschedulable: exceeded quota$/,
  },
  'the first verification, a moment after it was made': {
    o: after({ state: 'running', started: false, startedAt: '2026-01-02T03:59:00Z' }),
    backup: before,
    status: 'Unknown',
    reason: 'Running',
  },
  'a verification that is noted counts once': {
    o: after({ report: report(null) }, { backup: noted('Good', { sinceVerified: 2 }) as never, ...proven }),
    backup: noted('Good', { sinceVerified: 2 }),
    status: 'True',
    reason: 'Verified',
    words: /of the one before/,
  },
  'a verification of a former resource’s': {
    o: after({ ownerUid: 'somebody', report: report('bad') }, proven),
    backup: before,
    status: 'True',
    reason: 'Verified',
  },
  'a dump whose turn has come': {
    o: observed({ mysql: mysql({ status: { backup: before } }) }),
    backup: before,
    status: 'Unknown',
    reason: 'Pending',
    words: /^shop-2\.sql\.gz is verified next\.$/,
  },
}

test.each(Object.entries(cases))('%s', (_, { o, backup, status, reason, words = /./ }) => {
  expect(backupStatus(o, now).backup).toEqual(backup)
  expect(verifiedFinding(o, now)).toMatchObject({ status, reason, message: expect.stringMatching(words) })
})

test('where no dump was made there is nothing to say', () => {
  expect(verifiedFinding(observed(), now)).toBeUndefined()
})

test('a good dump counts towards the next verification, once there was one', () => {
  const dumped = JSON.stringify({
    ...{
      file: 'shop-3.sql.gz',
      bytes: 1,
      tables: 1,
      sha256: 'a'.repeat(64),
      version: '9.7.4',
      incomplete: [],
    },
  })
  const count = (backup: NonNullable<MySQLStatus['backup']>) =>
    backupStatus(observed({ mysql: mysql({ status: { backup } }), backup: job({ report: dumped }) }), now)
      .backup?.sinceVerified
  expect(count(before)).toBe(8)
  expect(count({})).toBeUndefined()
})

test('a dump that was found bad is not called good when the next one fails', () => {
  const status = { backup: noted('Bad') as never }
  const o = observed({ mysql: mysql({ status }), backup: job({ state: 'failed' }) })
  expect(backedUpFinding(o, now)?.message).toMatch(
    / The one before, which was found bad, is shop-2\.sql\.gz of /,
  )
})
