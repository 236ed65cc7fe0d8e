/**
 * All tests: types and lint, then the unit tests and the stories on a real cluster, which the stories bring up and take
 * down by themselves. With `--context NAME` the stories run on that cluster instead. Other arguments go to Vitest.
 */
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'

const { values, positionals } = parseArgs({
  options: { context: { type: 'string' }, project: { type: 'string' } },
  allowPositionals: true,
})

const run = (what: string, command: string, args: string[], env: NodeJS.ProcessEnv = {}) => {
  process.stderr.write(`\n== ${what}\n`)
  const { status } = spawnSync(command, args, { stdio: 'inherit', env: { ...process.env, ...env } })
  return status === 0
}

const checked = run('types', 'tsc', ['--noEmit']) && run('lint and format', 'biome', ['ci'])
if (!checked) {
  process.stdout.write('0 passed, 1 failed\n')
  process.exit(1)
}
const projects = values.project === undefined ? [] : ['--project', values.project]
const reporters = ['--reporter=default', '--reporter=./test/summary.ts']
const context: NodeJS.ProcessEnv = values.context === undefined ? {} : { CLUSTER_CONTEXT: values.context }
process.exit(run('tests', 'vitest', ['run', ...projects, ...reporters, ...positionals], context) ? 0 : 1)
