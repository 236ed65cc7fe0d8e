import { globSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

/** What each room may import from; a room may always import from itself. `main.ts` may import from all. */
const rooms: Record<string, string[]> = {
  api: [],
  passwords: ['api'],
  kube: ['api'],
  desired: ['api', 'passwords'],
  reconcile: ['api', 'passwords', 'kube', 'desired'],
  admission: ['api', 'passwords', 'kube'],
  http: ['api', 'kube'],
}

const files = globSync('src/*/**/*.ts')

describe('imports point down only', () => {
  test('every folder in src is a room with a place in the order', () => {
    expect([...new Set(files.map((file) => file.split('/')[1]))].sort()).toEqual(Object.keys(rooms).sort())
  })

  test.each(files)('%s imports only what its room may', (file) => {
    const room = file.split('/')[1] ?? ''
    const imports = [...readFileSync(file, 'utf8').matchAll(/from '((?:\.\.?\/)+)([\w.]+)/g)]
    const outside = imports
      .map((match) => new URL(`${match[1]}${match[2]}`, `file:///${file}`).pathname.split('/')[2] ?? '')
      .filter((target) => target !== room)
    // The table of metrics and the logger are the process's own, like main; a room gets them as arguments.
    expect(outside.filter((target) => !rooms[room]?.includes(target))).toEqual([])
  })
})
