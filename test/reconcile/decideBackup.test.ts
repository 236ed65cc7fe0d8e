import { describe, expect, test } from 'vitest'
import { annotations } from '../../src/api/names.ts'
import type { MySQLSpec, MySQLStatus } from '../../src/api/schema.ts'
import { decideBackup, nextBackupLook, nextDump } from '../../src/reconcile/decideBackup.ts'
import type { Observed } from '../../src/reconcile/observe.ts'
import { mysql } from '../api/fixtures.ts'
import { claim, job, now, observed } from './fixtures.ts'

const due = '2026-01-02T03:30:00Z'
const ahead = '2026-01-02T04:30:00Z'

interface Given {
  backup?: Partial<MySQLSpec['backup']>
  noted?: MySQLStatus['backup']
  handled?: string
  request?: string
}

/** Dumps each hour at half past, unless the test says otherwise. It is 04:00. */
const resource = ({ backup, noted, handled, request }: Given = {}) =>
  mysql({
    ...(request === undefined
      ? {}
      : { metadata: { annotations: { [annotations.backupRequestedAt]: request } } }),
    spec: { backup: { ...mysql().spec.backup, schedule: '30 * * * *', ...backup } },
    status: {
      ...(noted === undefined ? {} : { backup: noted }),
      ...(handled === undefined ? {} : { lastHandledBackupAt: handled }),
    },
  })

const given = (what: Given, facts: Partial<Observed> = {}) => observed({ mysql: resource(what), ...facts })
/** The Job's. */
const lastRun = '2026-01-02T03:05:00Z'
const noted = { lastRun, nextRun: due }
const start = { do: 'backup', cause: { scheduledFor: due, requestedBy: undefined } }
const away = { do: 'removeJob', job: 'backup', uid: 'job-1' }

const cases: Record<string, [Observed, unknown]> = {
  'a new resource: not at once': [given({}), undefined],
  'its time has not come': [given({ noted: { nextRun: ahead } }), undefined],
  'its time has come': [given({ noted }), start],
  'its time came many times while the operator was away: once': [
    given({ noted: { nextRun: '2025-12-01T03:30:00Z' } }),
    { do: 'backup', cause: { scheduledFor: '2025-12-01T03:30:00Z', requestedBy: undefined } },
  ],
  'its time has come while it is suspended': [given({ noted, backup: { suspended: true } }), undefined],
  'its time came under a schedule that was taken away': [
    observed({ mysql: mysql({ status: { backup: noted } }) }),
    undefined,
  ],
  'its time has come before there is something to dump': [
    given({ noted, request: 'now' }, { dataClaim: claim({ initialised: true }) }),
    undefined,
  ],
  'the dump before is still being made: one at a time': [
    given({ noted }, { backup: job({ state: 'running', scheduledFor: '2026-01-02T02:30:00Z' }) }),
    undefined,
  ],
  'the dump before ended, and the status does not say so yet': [
    given({ noted: { nextRun: due } }, { backup: job() }),
    undefined,
  ],
  'the dump before ended and is noted: away with its Job': [given({ noted }, { backup: job() }), away],
  'the dump before failed and is noted: the schedule goes on': [
    given({ noted }, { backup: job({ state: 'failed' }) }),
    away,
  ],
  'the Job before is on its way out': [given({ noted }, { backup: job({ state: 'deleting' }) }), undefined],
  'the Job before cannot start, and the spec was corrected since': [
    given({ noted }, { backup: job({ state: 'running', stuck: 'ErrImagePull: no', generation: 0 }) }),
    away,
  ],
  'its own Job cannot start, and the spec was corrected since': [
    given(
      { noted },
      {
        backup: job({
          state: 'running',
          started: false,
          stuck: 'ErrImagePull: no',
          generation: 0,
          scheduledFor: due,
        }),
      },
    ),
    away,
  ],
  'its own Job was removed before it had begun: once more when it is gone': [given({ noted }), start],
  'the Job is a former resource’s': [given({ noted }, { backup: job({ ownerUid: 'somebody' }) }), away],
  'the Job is about a claim that is gone': [given({ noted }, { backup: job({ claimUid: 'claim-0' }) }), away],
  'its Job was started, and the process ended before the status was written': [
    given({ noted }, { backup: job({ scheduledFor: due }) }),
    undefined,
  ],
  'a person asks': [
    given({ request: 'now', handled: 'before' }),
    { do: 'backup', cause: { scheduledFor: undefined, requestedBy: 'now' } },
  ],
  'a person asks while the schedule is suspended': [
    given({ request: 'now', backup: { suspended: true }, noted }),
    { do: 'backup', cause: { scheduledFor: undefined, requestedBy: 'now' } },
  ],
  'a person asked, and was served': [given({ request: 'now', handled: 'now' }), undefined],
  'a person asked, the Job was started, and the status does not say so yet': [
    given({ request: 'now', noted: { lastRun } }, { backup: job({ requestedBy: 'now' }) }),
    undefined,
  ],
  'a person asks when the time has come: one dump for both': [
    given({ request: 'now', noted }),
    { do: 'backup', cause: { scheduledFor: due, requestedBy: 'now' } },
  ],
}

test.each(Object.entries(cases))('%s', (_, [o, plan]) => {
  expect(decideBackup(o, now)).toEqual(plan)
})

describe('the next run', () => {
  const times: Record<string, [Observed, string | undefined]> = {
    'of a new resource is the next time': [given({}), ahead],
    'that is due stays until it is started': [given({ noted }), due],
    'that is due waits for the one before': [given({ noted }, { backup: job({ state: 'running' }) }), due],
    'that is due stays while its Job has not begun': [
      given({ noted }, { backup: job({ state: 'running', started: false, scheduledFor: due }) }),
      due,
    ],
    'follows the one that was started': [given({ noted }, { backup: job({ scheduledFor: due }) }), ahead],
    'of another schedule is that one’s': [
      given({ noted: { nextRun: '2026-01-02T04:15:00Z' }, backup: { schedule: '45 4 * * *' } }),
      '2026-01-02T04:45:00Z',
    ],
    'is in the time zone of the schedule': [
      given({ backup: { schedule: '30 6 * * *', timeZone: 'Europe/Berlin' } }),
      '2026-01-02T05:30:00Z',
    ],
    'of a schedule that is suspended: none': [given({ noted, backup: { suspended: true } }), undefined],
    'of a schedule that is resumed is the next time: nothing is made up for': [given({ noted: {} }), ahead],
    'before there is something to dump: none': [
      given({}, { dataClaim: claim({ initialised: true }) }),
      undefined,
    ],
  }
  test.each(Object.entries(times))('%s', (_, [o, time]) => {
    expect(nextDump(o, now)).toBe(time)
  })
})

describe('the next look', () => {
  const minutes = 60_000
  const looks: Record<string, [Observed, number[]]> = {
    'at the next run': [given({}), [30 * minutes]],
    'each hour where that is far away: timers are short, and clocks are set': [
      given({ backup: { schedule: '0 0 1 7 *' } }),
      [60 * minutes],
    ],
    'not before an event, while a due dump waits for another': [
      given({ noted }, { backup: job({ state: 'running' }) }),
      [],
    ],
    'when a report is overdue': [
      given({}, { backup: job({ finishedAt: '2026-01-02T03:59:40Z' }) }),
      [10_000, 30 * minutes],
    ],
    'not at all without a schedule': [observed(), []],
  }
  test.each(Object.entries(looks))('%s', (_, [o, ms]) => {
    expect(nextBackupLook(o, now)).toEqual(ms)
  })
})
