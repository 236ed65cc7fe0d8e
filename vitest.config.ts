import { defineConfig } from 'vitest/config'
import { storyClusters } from './test/cluster/stories/clusters.ts'

const isRootOnLinux = process.platform === 'linux' && process.getuid?.() === 0
if (!isRootOnLinux)
  console.warn('Left out: the tests of the scripts on a real server, which need root on Linux.')

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/cluster/**', 'test/mysql/**'],
          // A busy machine is no failure: nothing here waits for time to pass.
          testTimeout: 60_000,
        },
      },
      {
        // The pods' scripts on a real server, each in a network of its own: namespaces and mounts need root on Linux.
        test: {
          name: 'mysql',
          include: isRootOnLinux ? ['test/mysql/**/*.test.ts'] : [],
          maxWorkers: 2,
          // One project after the other: they would take the cores away from each other.
          sequence: { groupOrder: 1 },
          testTimeout: 120_000,
          hookTimeout: 600_000,
        },
      },
      {
        // On the series before the last two, which exists for this kind of processor only.
        test: {
          name: 'mysql-8.0',
          env: { MYSQL_IMAGE: 'mysql:8.0.33' },
          include: isRootOnLinux && process.arch === 'x64' ? ['test/mysql/logins.test.ts'] : [],
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
          testTimeout: 120_000,
          hookTimeout: 600_000,
        },
      },
      {
        // Stories on real clusters: one after the other on each, since a story may stop what all of them use.
        test: {
          name: 'cluster',
          include: ['test/cluster/**/*.test.ts'],
          maxWorkers: storyClusters(process.env).length,
          sequence: { groupOrder: 3 },
          globalSetup: ['test/cluster/stories/setup.ts'],
          testTimeout: 300_000,
          hookTimeout: 1_800_000,
        },
      },
    ],
  },
})
