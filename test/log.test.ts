import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { withoutText } from '../src/log.ts'

test('a log line has a time, tells no host, and loses what could be a password', () => {
  const script = `
    import { createLog } from './src/log.ts'
    const log = createLog('info')
    log.info({ secret: { data: { password: 'Pw-7b1e' } }, spec: { password: 'Pw-7b1e', user_password: 'Pw-7b1e' }, body: 'Pw-7b1e' }, 'words')
    log.error({ err: Object.assign(new Error('outer', { cause: new Error('inner') }), { request: 'Pw-7b1e' }) }, 'failed')
    log.debug('not at this level')
  `
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  })
  expect(stderr).toBe('')
  expect(stdout).not.toContain('Pw-7b1e')
  const [first, second, ...more] = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(first).toMatchObject({ msg: 'words', time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) })
  expect(Object.keys(first)).not.toContain('hostname')
  expect(second.err).toMatchObject({ message: 'outer', cause: { message: 'inner' } })
  expect(more).toEqual([])
})

test('an error without its text keeps its type and where it was', () => {
  try {
    JSON.parse('Secret-1 is no JSON')
    expect.unreachable()
  } catch (error) {
    expect(String(error)).toContain('Secret-1')
    expect(withoutText(error)).toMatchObject({ type: 'SyntaxError' })
    expect(withoutText(error).at.length).toBeGreaterThan(0)
    expect(JSON.stringify(withoutText(error))).not.toContain('Secret-1')
  }
  expect(withoutText('Secret-1')).toEqual({ type: 'string', at: [] })
})
