import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'

test('a log line has a time, tells no host, and loses what could be a password', () => {
  const script = `
    import { createLog } from './src/log.ts'
    const log = createLog('info')
    log.info({ secret: { data: { password: 'canary' } }, spec: { password: 'canary', user_password: 'canary' }, body: 'canary' }, 'words')
    log.error({ err: Object.assign(new Error('outer', { cause: new Error('inner') }), { request: 'canary' }) }, 'failed')
    log.debug('not at this level')
  `
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  })
  expect(stderr).toBe('')
  expect(stdout).not.toContain('canary')
  const [first, second, ...more] = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(first).toMatchObject({ msg: 'words', time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) })
  expect(Object.keys(first)).not.toContain('hostname')
  expect(second.err).toMatchObject({ message: 'outer', cause: { message: 'inner' } })
  expect(more).toEqual([])
})
