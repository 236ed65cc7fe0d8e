/**
 * When a resource's turn comes at what is done for each of them once an hour and takes a pod. Its uid says in which minutes,
 * so a thousand of them are spread over the hour, also after the operator was away for one: who missed a turn waits for
 * the next.
 */
import { createHash } from 'node:crypto'

const everyMs = 60 * 60_000

/** For how long a turn can be taken: an operator that just starts, or is busy, still comes round. */
const lengthMs = 10 * 60_000

/** What was done so short a time ago, such as for another reason, is not done again. */
const freshMs = everyMs / 2

/** Start of the newest turn that has begun, in milliseconds since the epoch. */
const begun = (uid: string, now: number): number => {
  const offset = createHash('sha256').update(uid).digest().readUInt32BE() % everyMs
  return Math.floor((now - offset) / everyMs) * everyMs + offset
}

/** Whether it is the turn of the resource with that uid. `lastDone` is in milliseconds since the epoch, 0 for never. */
export const isItsTurn = (uid: string, lastDone: number, now: Date): boolean =>
  now.getTime() - begun(uid, now.getTime()) < lengthMs && now.getTime() - lastDone >= freshMs

/** Milliseconds until its next turn begins. */
export const untilNextTurn = (uid: string, lastDone: number, now: Date): number => {
  const next = begun(uid, Math.max(now.getTime(), lastDone + freshMs)) + everyMs
  return next - now.getTime()
}
