/**
 * A program that begins a login with each password 50 times a second, whether those before are over or not, until its
 * standard input ends; then it prints what came of them. While a password is denied it is tried 5 times a second: a denial
 * costs the server more than all else. The first line of the input says where and with what: `{host, user, passwords}`.
 */
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { logIn } from './login.ts'
import { pace } from './pace.ts'

/** One login: when it began and ended, in milliseconds since 1970, and `granted`, `denied`, or what went wrong. */
export interface Attempt {
  began: number
  ended: number
  outcome: string
}

type Login = Parameters<typeof logIn>[0]

const everyMs = 20
const deniedEveryMs = 200
/** A machine that does not keep up is not asked for more: nobody would learn anything from a queue. */
const mostUnderWay = 50
let ended = false

const attempt = async (login: Login): Promise<Attempt> => {
  const began = Date.now()
  const outcome = await logIn(login).then(
    (granted) => (granted ? 'granted' : 'denied'),
    (error: unknown) => String(error),
  )
  return { began, ended: Date.now(), outcome }
}

const probe = async (login: Login): Promise<Attempt[]> => {
  const attempts: Promise<Attempt>[] = []
  let underWay = 0
  let denied = false
  const begin = async () => {
    underWay += 1
    const made = await attempt(login)
    underWay -= 1
    denied = made.outcome === 'denied'
    return made
  }
  const next = pace()
  while (!ended) {
    if (underWay < mostUnderWay) attempts.push(begin())
    await next(denied ? deniedEveryMs : everyMs)
  }
  return Promise.all(attempts)
}

const input = createInterface({ input: process.stdin })
const [line] = await once(input, 'line')
const { host, user, passwords } = JSON.parse(line)
input.once('close', () => {
  ended = true
})
const all = await Promise.all(passwords.map((password: string) => probe({ host, user, password })))
process.stdout.write(JSON.stringify(all))
