import { expect, test } from 'vitest'
import type { MySQLStatus } from '../../src/api/schema.ts'
import { backedUpFinding, backupStatus } from '../../src/reconcile/backupStatus.ts'
import type { Observed } from '../../src/reconcile/observe.ts'
import { mysql } from '../api/fixtures.ts'
import { job, now, observed } from './fixtures.ts'

const report = JSON.stringify({
  file: 'shop-2.sql.gz',
  bytes: 2000,
  tables: 3,
  sha256: 'a'.repeat(64),
  version: '9.7.4',
  incomplete: [],
})
const before = {
  lastSuccess: '2026-01-02T02:31:00Z',
  file: 'shop-1.sql.gz',
  bytes: 1000,
  tables: 2,
  duration: 60,
  lastRun: '2026-01-02T02:30:00Z',
  failures: 4,
}
const success = {
  lastSuccess: '2026-01-02T03:06:00Z',
  file: 'shop-2.sql.gz',
  bytes: 2000,
  tables: 3,
  duration: 60,
  lastRun: '2026-01-02T03:05:00Z',
  failures: 4,
}
const failure = { ...before, lastRun: '2026-01-02T03:05:00Z', failures: 5 }
const condition = (reason: string, status: 'True' | 'False') => ({
  type: 'BackedUp',
  status,
  reason,
  message: 'of the one before',
  lastTransitionTime: '2026-01-02T02:31:00Z',
})

const after = (o: Partial<Observed>, status: MySQLStatus = {}) =>
  observed({ mysql: mysql({ status: { backup: before, ...status } }), ...o })
const failed = { conditions: [condition('Failed', 'False')] }
const succeeded = { conditions: [condition('Succeeded', 'True')] }

const cases: Record<string, { o: Observed; backup: MySQLStatus['backup']; reason: string; words?: RegExp }> =
  {
    'a run that made a dump': {
      o: after({ backup: job({ report }) }, failed),
      backup: success,
      reason: 'Succeeded',
      words: /^The latest dump is shop-2\.sql\.gz\.$/,
    },
    'a run that left something out': {
      o: after({ backup: job({ report: report.replace('[]', '["shop.v"]') }) }),
      backup: success,
      reason: 'BackupIncomplete',
      words: /shop\.v/,
    },
    'a run that failed, after one that did not': {
      o: after(
        { backup: job({ state: 'failed', report: '{"error":"is the backup volume full?"}' }) },
        succeeded,
      ),
      backup: failure,
      reason: 'Failed',
      words:
        /^The dump begun at 2026-01-02T03:05:00Z failed: is the backup volume full\?\. The last good one is shop-1\.sql\.gz of 2026-01-02T02:31:00Z\.$/,
    },
    'a run that took too long': {
      o: after({ backup: job({ state: 'failed', timedOut: true }) }),
      backup: failure,
      reason: 'Failed',
      words: /it took longer than spec\.backup\.timeoutSeconds/,
    },
    'a run that failed after an attempt that wrote a report': {
      o: after({ backup: job({ state: 'failed', report }) }),
      backup: failure,
      reason: 'Failed',
    },
    'a run that says nothing of a dump': {
      o: after({ backup: job() }),
      backup: failure,
      reason: 'Failed',
      words: /ended and says nothing of a dump/,
    },
    'a run that found nothing to dump': {
      o: after({ backup: job({ report: report.replace('"shop-2.sql.gz"', 'null') }) }),
      backup: failure,
      reason: 'Failed',
    },
    'a run whose report is on its way: what was true stays true': {
      o: after({ backup: job({ finishedAt: '2026-01-02T03:59:50Z' }) }, succeeded),
      backup: before,
      reason: 'Succeeded',
      words: /of the one before/,
    },
    'a run that was removed before it had finished': {
      o: after({ backup: { ...job({ state: 'deleting' }), finishedAt: undefined } }, succeeded),
      backup: failure,
      reason: 'Failed',
      words: /was removed before it had finished/,
    },
    'a run under way: what was true stays true': {
      o: after({ backup: job({ state: 'running' }) }, failed),
      backup: before,
      reason: 'Failed',
      words: /of the one before/,
    },
    'a run that is noted counts once': {
      o: after({ backup: job({ state: 'failed' }) }, { backup: failure, ...failed }),
      backup: failure,
      reason: 'Failed',
      words: /of the one before/,
    },
    'the first run, under way': {
      o: observed({ backup: job({ state: 'running' }) }),
      backup: undefined,
      reason: 'Running',
    },
    'the run of a former resource': {
      o: after({ backup: job({ report, ownerUid: 'somebody' }) }, succeeded),
      backup: before,
      reason: 'Succeeded',
      words: /of the one before/,
    },
  }

test.each(Object.entries(cases))('%s', (_, { o, backup, reason, words = /./ }) => {
  expect(backupStatus(o, now).backup).toEqual(backup)
  expect(backedUpFinding(o, now)).toMatchObject({ reason, message: expect.stringMatching(words) })
})

const hourly = mysql({ spec: { backup: { ...mysql().spec.backup, schedule: '30 * * * *' } } })

test('before the first run the condition says when that is; without a schedule there is nothing to say', () => {
  expect(backupStatus(observed({ mysql: hourly }), now)).toEqual({
    backup: { nextRun: '2026-01-02T04:30:00Z' },
  })
  expect(backedUpFinding(observed({ mysql: hourly }), now)).toMatchObject({
    status: 'Unknown',
    reason: 'Pending',
    message: 'The first dump is due at 2026-01-02T04:30:00Z.',
  })
  expect(backupStatus(observed(), now)).toEqual({})
  expect(backedUpFinding(observed(), now)).toBeUndefined()
})

test('a resource that is being deleted has no next run, and one without a schedule loses it', () => {
  const status = { backup: { ...before, nextRun: '2026-01-02T04:30:00Z' } }
  const metadata = { deletionTimestamp: '2026-01-02T03:59:00Z' }
  expect(
    backupStatus(observed({ mysql: { ...mysql({ metadata }), spec: hourly.spec, status } }), now).backup,
  ).toEqual(before)
  expect(backupStatus(observed({ mysql: mysql({ status }) }), now).backup).toEqual(before)
})

test('the request that the Job was made for is handled', () => {
  const o = observed({ backup: job({ state: 'running', requestedBy: 'now' }) })
  expect(backupStatus(o, now)).toEqual({ lastHandledBackupAt: 'now' })
})
