import { expect, test } from 'vitest'
import type { Credentials } from '../../src/reconcile/decidePasswords.ts'
import type { Observed } from '../../src/reconcile/observe.ts'
import { statusOf } from '../../src/reconcile/status.ts'
import { claim, job, now, observed, pod } from './fixtures.ts'

const credentials: Credentials = {
  wanted: { root: { state: 'ready', secretName: 'shop-root-aaaaaaaaaa' }, user: { state: 'none' } },
  inForce: { root: { secretName: 'shop-root-aaaaaaaaaa', changedAt: '2026-01-02T03:06:00Z' } },
}
const waiting: Credentials = {
  wanted: { root: { state: 'waiting', why: 'Secret x does not exist yet' }, user: { state: 'none' } },
  inForce: {},
}

const cases: Record<string, { o?: Partial<Observed>; c?: Credentials; ready: string; message: string }> = {
  'a server that was made empty': { ready: 'Serving', message: 'Mysql created' },
  'a server that was made from a dump': {
    o: { dataClaim: claim({ initialised: true, restoredFrom: 'shop-20260102T030000Z.sql.gz' }) },
    ready: 'Serving',
    message: 'Mysql created from backup shop-20260102T030000Z.sql.gz',
  },
  'a server that is open before it was noted what it was made from': {
    o: { dataClaim: claim({ initialised: true }) },
    ready: 'Restoring',
    message: 'Job restore-shop-job has not finished yet; clients stay out until it has.',
  },
  'a restore that failed': {
    o: {
      dataClaim: claim({ initialised: true }),
      pod: pod({ ready: false }),
      restore: job({ state: 'failed', report: '{"error":"no dump can be used"}' }),
    },
    ready: 'Restoring',
    message: 'Job restore-shop-job failed and will be tried again; clients stay out: no dump can be used',
  },
  'a server that starts again': {
    o: { pod: pod({ ready: false }) },
    ready: 'Starting',
    message: 'The server has not answered yet.',
  },
  'a password that is waited for': {
    o: { dataClaim: claim(), pod: pod({ ready: false }), restore: undefined },
    c: waiting,
    ready: 'Waiting',
    message: 'Secret x does not exist yet',
  },
  'an image that does not come': {
    o: { pod: pod({ ready: false, stuck: 'ErrImagePull: not found' }) },
    ready: 'ImageError',
    message: 'ErrImagePull: not found',
  },
}

test.each(Object.entries(cases))('%s', (_, { o, c = credentials, ready, message }) => {
  const status = statusOf(observed(o), c, now)
  const found = status.conditions?.find(({ type }) => type === 'Ready')
  expect(found).toMatchObject({ status: ready === 'Serving' ? 'True' : 'False', reason: ready })
  expect(status.message).toBe(message)
})

test('what keeps a dump from starting is told', () => {
  const backup = job({ state: 'running', started: false, stuck: 'ImagePullBackOff: not found' })
  const { conditions } = statusOf(observed({ backup }), credentials, now)
  expect(conditions?.find(({ type }) => type === 'Degraded')).toMatchObject({
    status: 'True',
    reason: 'ImageError',
    message: expect.stringContaining('not found'),
  })
})

test('a Secret that a running database waits for is not something under way', () => {
  const { conditions } = statusOf(observed(), waiting, now)
  expect(conditions?.find(({ type }) => type === 'Progressing')).toMatchObject({
    status: 'False',
    reason: 'Waiting',
    message: 'Secret x does not exist yet',
  })
})
