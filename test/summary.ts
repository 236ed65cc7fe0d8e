import type { Reporter, TestModule } from 'vitest/node'

/** Ends the run with one plain line that a person and a machine can read. */
export default class Summary implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]) {
    const tests = modules.flatMap((module) => [...module.children.allTests()])
    const count = (state: string) => tests.filter((test) => test.result().state === state).length
    // A file that does not even load has no tests that could fail.
    const broken = modules.filter((module) => module.state() === 'failed' && count('failed') === 0).length
    const failed = count('failed') + broken + (unhandledErrors.length > 0 ? 1 : 0)
    const skipped = count('skipped')
    process.stdout.write(
      `\n${count('passed')} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`,
    )
  }
}
