/** Who gets what is limited, and who makes way. */
import { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createGate } from '../../src/http/bodies.ts'
import { createShares } from '../../src/http/shares.ts'

const limits = { inAll: 6, ofOneAddress: 4 }

/** Those that have a share, the one that was used the longest time ago first. */
const holders = () => {
  const take = createShares(limits)
  const held = new Map<string, { from: string; amount: number; idle: boolean }>()
  const come = (name: string, from: string, { amount = 1, idle = true } = {}) => {
    const one = { from, amount, idle }
    const share = take({ from, amount, idle: () => one.idle, end: () => held.delete(name) })
    if (share) held.set(name, one)
    return share
  }
  return { come, held, names: () => [...held.keys()].join('') }
}

test('Who comes when nothing is left gets what the address with the most has left idle for the longest time', () => {
  const { come, names } = holders()
  const first = come('a', 'loud')
  for (const name of 'bcd') come(name, 'loud')
  // The same address gets no more, but for what it had before.
  first?.used()
  come('e', 'loud')
  expect(names()).toBe('acde')
  come('f', 'quiet')
  come('g', 'quiet')
  come('h', 'third')
  expect(names()).toBe('adefgh')
})

test('What is in use is not taken away, and is there for others when it is given back', () => {
  const { come, names } = holders()
  const busy = { idle: false }
  const [share] = [...'abcd'].map((name) => come(name, 'loud', busy))
  expect(come('e', 'loud')).toBeUndefined()
  come('f', 'quiet', busy)
  come('g', 'quiet', busy)
  expect(come('h', 'third')).toBeUndefined()
  share?.release()
  share?.release()
  expect(come('h', 'third')).toBeDefined()
  expect(come('i', 'fourth')).toBeDefined()
  expect(names()).toBe('abcdfgi')
})

test('Nobody ever has more than the limits, and who comes always gets something where enough is idle', () => {
  const step = fc.record({
    from: fc.constantFrom('a', 'b', 'c', 'd'),
    amount: fc.integer({ min: 1, max: 4 }),
    idle: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const { come, held } = holders()
      const sum = (of: (one: { from: string; idle: boolean }) => boolean) =>
        [...held.values()].filter(of).reduce((all, { amount }) => all + amount, 0)
      steps.forEach(({ from, amount, idle }, i) => {
        const busy = (address?: string) =>
          sum((one) => !one.idle && (address === undefined || one.from === address)) + amount
        const room = busy() <= limits.inAll && busy(from) <= limits.ofOneAddress
        expect(come(String(i), from, { amount, idle }) !== undefined).toBe(room)
        expect(sum(() => true)).toBeLessThanOrEqual(limits.inAll)
        expect(sum((one) => one.from === from)).toBeLessThanOrEqual(limits.ofOneAddress)
      })
    }),
  )
})

test('Bodies have so many bytes at a time, of one address and in all, and those that do not end make way', () => {
  let now = 0
  const admits = createGate(() => now)
  const ended: string[] = []
  const ask = (from: string, length: number, complete = true) => {
    const socket = { remoteAddress: from, destroy: () => ended.push(from) }
    const request = { headers: { 'content-length': String(length) }, socket, complete }
    const response = new EventEmitter()
    return {
      admitted: admits(request as unknown as IncomingMessage, response as ServerResponse),
      close: () => response.emit('close'),
    }
  }
  const small = 64 * 1024
  const ofLoud = Array.from({ length: 25 }, () => ask('loud', small))
  expect(ofLoud.filter(({ admitted }) => admitted)).toHaveLength(24)
  const ofOther = Array.from({ length: 9 }, () => ask('other', small))
  expect(ofOther.filter(({ admitted }) => admitted)).toHaveLength(8)
  expect(ask('third', 1).admitted).toBe(false)
  ofLoud[0]?.close()
  expect(ask('third', 1).admitted).toBe(true)
  // The large ones have a part of their own.
  const large = 7 * 1024 * 1024
  expect([ask('slow', large, false), ask('slow', large, false)].map(({ admitted }) => admitted)).toEqual([
    true,
    true,
  ])
  expect(ask('third', small + 1).admitted).toBe(false)
  now += 2_001
  expect(ask('third', small + 1).admitted).toBe(true)
  expect(ended).toEqual(['slow'])
  // What has no body is none of its business.
  expect(ask('loud', 0).admitted).toBe(true)
})
