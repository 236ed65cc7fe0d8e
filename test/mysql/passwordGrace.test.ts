import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { needsNativePassword } from '../../src/api/image.ts'
import type { Account } from '../../src/api/names.ts'
import { passwordResult } from '../../src/desired/results.ts'
import { scriptPath } from '../../src/desired/volumes.ts'
import { mysqlImage } from './image.ts'
import { Instance } from './instance.ts'

/** Has no second passwords. */
const isOld = needsNativePassword(mysqlImage)

let db: Instance
beforeAll(async () => {
  db = await Instance.create({ database: 'otus_database' })
  await db.startNew()
})
beforeEach(() => db.reset())
afterAll(() => db.remove())

/** One run with the grace period of `ali` on (`keep`) or over. */
const change = async (keep: boolean, ...accounts: Account[]) => {
  const job = db.passwordJob({ keepOld: keep ? accounts : [] }, ...accounts)
  return passwordResult((await db.job(job).ended).report)?.accounts
}

/** Which of the passwords `ali` can log in with. */
const valid = async (...passwords: string[]) => {
  const found = await Promise.all(passwords.map((password) => db.mayLogIn('ali', password)))
  return passwords.filter((_, index) => found[index])
}

describe.skipIf(isOld)('with a grace period', () => {
  const all = ['user-password', 'second', 'third']

  test('both passwords work, however often it is run, until a run that ends the old one', async () => {
    await db.restore()
    db.setPassword('user', 'second')
    expect(await change(true, 'user')).toEqual([{ account: 'user', was: 'changed', old: true }])
    expect(await valid(...all)).toEqual(['user-password', 'second'])
    expect(await change(true, 'user')).toEqual([{ account: 'user', was: 'unchanged', old: true }])
    expect(await valid(...all)).toEqual(['user-password', 'second'])
    expect(await change(false, 'user')).toEqual([{ account: 'user', was: 'unchanged', old: false }])
    expect(await valid(...all)).toEqual(['second'])
  })

  test('of two quick changes the last two passwords work, and back to the one before too', async () => {
    await db.restore()
    db.setPassword('user', 'second')
    await change(true, 'user')
    db.setPassword('user', 'third')
    await change(true, 'user')
    expect(await valid(...all)).toEqual(['second', 'third'])
    db.setPassword('user', 'second')
    expect(await change(true, 'user')).toEqual([{ account: 'user', was: 'changed', old: true }])
    expect(await valid(...all)).toEqual(['second', 'third'])
    await change(false, 'user')
    expect(await valid(...all)).toEqual(['second'])
  })

  test('root keeps it for both hosts, and the account that is not named does not', async () => {
    await db.restore()
    db.setPassword('root', 'second-root')
    db.setPassword('user', 'second')
    const job = db.passwordJob({ keepOld: ['root'] }, 'root', 'user')
    expect(passwordResult((await db.job(job).ended).report)?.accounts).toEqual([
      { account: 'root', was: 'changed', old: true },
      { account: 'user', was: 'changed', old: false },
    ])
    for (const password of ['root-password', 'second-root']) {
      expect(await db.mayLogIn('root', password)).toBe(true)
      expect((await db.query('SELECT 1', 'root', password)).code).toBe(0)
    }
    expect(await valid(...all)).toEqual(['second'])
  })

  test.each([
    ['an empty one', "IDENTIFIED BY ''"],
    ['one of another plugin', "IDENTIFIED WITH sha256_password BY 'other-plugin'"],
  ])('a password that the server cannot keep is no failure: %s', async (_, identified) => {
    await db.restore()
    await db.ask(`ALTER USER ali ${identified}`)
    db.setPassword('user', 'second')
    expect(await change(true, 'user')).toEqual([{ account: 'user', was: 'changed', old: false }])
    expect(await valid(...all, '', 'other-plugin')).toEqual(['second'])
  })

  test('a grace period that was set back to nothing is over with the next change', async () => {
    await db.restore()
    db.setPassword('user', 'second')
    await change(true, 'user')
    db.setPassword('user', 'third')
    expect(await change(false, 'user')).toEqual([{ account: 'user', was: 'changed', old: false }])
    expect(await valid(...all)).toEqual(['third'])
  })
})

/**
 * Ends the Job for root before its n-th statement, as a kill would; answers the statement, or undefined if it came to its
 * own end before. Bash runs the trap twice for each: at the call, and in the function.
 */
const killedBefore = async (statement: number, keep: boolean): Promise<string | undefined> => {
  const kill = 'echo "killed before $BASH_COMMAND"; trap - EXIT; exit 137'
  const trap = `case $BASH_COMMAND in ask*|secretly*|report\\ *) ((++n < ${2 * statement - 1})) || { ${kill}; };; esac`
  const script = `set -T; n=0; trap '${trap}' DEBUG; . ${scriptPath('password.sh')}`
  const job = db.passwordJob({ keepOld: keep ? ['root'] : [] }, 'root')
  const { stdout } = await db.job(job, (spec) => ({ ...spec, command: ['bash', '-c', script] })).ended
  return /killed before (.*)/.exec(stdout)?.[1]
}

/** Which of the passwords root can log in with: over the network, and at the server itself. */
const validForRoot = async (...passwords: string[]) => {
  const host = await Promise.all(passwords.map((password) => db.mayLogIn('root', password)))
  const local = await Promise.all(passwords.map((password) => db.query('SELECT 1', 'root', password)))
  return {
    remote: passwords.filter((_, index) => host[index]),
    local: passwords.filter((_, index) => local[index]?.code === 0),
  }
}

describe.skipIf(isOld)('killed before any of its statements and run again', { timeout: 400_000 }, () => {
  /** The first three only wait for the server. */
  const first = 4

  test('a change with a grace period leaves both passwords, and the old one works all the time', async () => {
    await db.restore()
    let old = 'root-password'
    const killed: string[] = []
    for (let statement = first; ; statement++) {
      const fresh = `password ${statement}`
      db.setPassword('root', fresh)
      const where = await killedBefore(statement, true)
      if (where === undefined) break
      killed.push(where)
      const meanwhile = await validForRoot(old)
      expect(meanwhile, where).toEqual({ remote: [old], local: [old] })
      expect(await change(true, 'root'), where).toMatchObject([{ old: true }])
      expect(await validForRoot(old, fresh), where).toEqual({ remote: [old, fresh], local: [old, fresh] })
      old = fresh
    }
    expect(killed.filter((where) => where.startsWith('secretly'))).toHaveLength(2)
  })

  test('the end of a grace period leaves the new one, which works all the time', async () => {
    await db.restore()
    let old = 'root-password'
    const killed: string[] = []
    for (let statement = first; ; statement++) {
      const fresh = `password ${statement}`
      db.setPassword('root', fresh)
      await change(true, 'root')
      const where = await killedBefore(statement, false)
      if (where === undefined) break
      killed.push(where)
      expect(await validForRoot(fresh), where).toEqual({ remote: [fresh], local: [fresh] })
      expect(await change(false, 'root'), where).toMatchObject([{ old: false }])
      expect(await validForRoot(old, fresh), where).toEqual({ remote: [fresh], local: [fresh] })
      old = fresh
    }
    expect(killed.filter((where) => where.includes('DISCARD'))).toHaveLength(2)
  })
})

describe('only comparing', () => {
  const compare = async () => {
    const job = db.passwordJob({ onlyCompare: true }, 'root', 'user')
    return passwordResult((await db.job(job).ended).report)?.accounts.map(({ was }) => was)
  }

  test('finds a password that was changed and an account that was dropped, and changes nothing', async () => {
    await db.restore()
    expect(await compare()).toEqual(['unchanged', 'unchanged'])
    await db.ask("ALTER USER ali IDENTIFIED BY 'by hand'")
    await db.ask("DROP USER root@'%'")
    expect(await compare()).toEqual(['drifted', 'drifted'])
    expect(await db.mayLogIn('ali', 'by hand')).toBe(true)
    expect(await db.ask("SELECT COUNT(*) FROM mysql.user WHERE user = 'root'")).toBe('1')
  })

  test('does not mind that the password before works as well', async () => {
    await db.restore()
    db.setPassword('user', 'second')
    await change(!isOld, 'user')
    expect(await compare()).toEqual(['unchanged', 'unchanged'])
    expect(await db.mayLogIn('ali', 'user-password')).toBe(!isOld)
  })
})
