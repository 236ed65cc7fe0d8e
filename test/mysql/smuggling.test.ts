/** A stored program is kept as its author wrote it, and the client that loads a dump reads it otherwise than the server. */
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import { backupJob } from '../../src/desired/jobs/backup.ts'
import { backupResult, failureOf } from '../../src/desired/results.ts'
import { until } from './container.ts'
import { Instance } from './instance.ts'

let db: Instance
beforeAll(async () => {
  db = await Instance.create({ database: 'shop' })
  await db.startNew()
})
beforeEach(async () => {
  await db.reset()
  expect((await db.restore()).code).toBe(0)
  await db.ask(`CREATE USER IF NOT EXISTS eve IDENTIFIED BY 'eve'; GRANT ALL ON shop.* TO eve; SET GLOBAL log_bin_trust_function_creators = ON;
    CREATE TABLE shop.t (i INT)`)
})
afterAll(() => db.remove())

const scheduledFor = '2026-01-02T03:04:05Z'
const evil = "CREATE USER evil@`%` IDENTIFIED BY 'evil' ;; GRANT ALL ON *.* TO evil@`%` WITH GRANT OPTION"
const evilUsers = () => db.ask("SELECT COUNT(*) FROM mysql.user WHERE user = 'evil'")

/** One statement to the server, stored by somebody who has rights on one schema only. */
const store = async (statement: string, mode = '') => {
  const sql = `SET sql_mode = '${mode}';\nDELIMITER ~~~\n${statement}`
  const { code, stderr } = await db.query(sql, 'eve', 'eve', ['shop', '--binary-mode', '--comments'])
  expect(stderr).not.toContain('ERROR')
  expect(code).toBe(0)
}

// The author's own client must not split it: it is told to split at another mark, which is not in it.
const quoted = `SELECT 1 AS "\\" -- " ;; ${evil} ;; /*\n, '*/ DO 1 ;; -- '`

const quotedBlock = `BEGIN DECLARE "\\" -- " ;; ${evil} ;; /*\n INT; SET @b = '*/ DO 1 ;; -- '; END`

test('(control) the dump of such a procedure would make its author the owner of the server', async () => {
  await store(`CREATE PROCEDURE sneak() ${quoted}`, 'ANSI_QUOTES')
  expect(await db.ask("SELECT COUNT(*) FROM information_schema.routines WHERE routine_name = 'sneak'")).toBe(
    '1',
  )
  expect(await evilUsers()).toBe('0')
  const client = '--defaults-file=/etc/mysql-operator/client/client.cnf --host="$SERVER"'
  const { stderr } = await db.shell(
    `mysqldump ${client} --routines --databases shop | mysql ${client} --binary-mode --force`,
  ).ended
  expect(await evilUsers(), stderr).toBe('1')
  await db.ask('DROP USER evil')
})

test.each([
  ['procedure sneak', 'CREATE PROCEDURE sneak()', 'DROP PROCEDURE', 'ANSI_QUOTES', quoted],
  [
    'trigger sneak',
    'CREATE TRIGGER sneak BEFORE INSERT ON t FOR EACH ROW',
    'DROP TRIGGER',
    'ANSI_QUOTES',
    quotedBlock,
  ],
  ['event sneak', 'CREATE EVENT sneak ON SCHEDULE EVERY 1 DAY DO', 'DROP EVENT', 'ANSI_QUOTES', quotedBlock],
  [
    'procedure sneak',
    'CREATE PROCEDURE sneak()',
    'DROP PROCEDURE',
    '',
    `SELECT 1 --\u0001'\n/* ' ;; ${evil} ;; */`,
  ],
  ['procedure sneak', 'CREATE PROCEDURE sneak()', 'DROP PROCEDURE', 'ANSI_QUOTES', 'SELECT 1 AS "\\"'],
  ['procedure sneak', 'CREATE PROCEDURE sneak(i INT /* ;; */)', 'DROP PROCEDURE', '', 'SELECT 1'],
  [
    'function sneak',
    'CREATE FUNCTION sneak() RETURNS INT DETERMINISTIC',
    'DROP FUNCTION',
    '',
    "RETURN LENGTH(';;')",
  ],
])(
  'no dump is made with a %s that could be split: %s … %s, sql_mode "%s", %j',
  async (name, head, drop, mode, body) => {
    await store(`${head} ${body}`, mode)
    const { code, report } = await db.backup()
    expect(code).toBe(1)
    expect(failureOf(report)).toContain(
      `: ${name.toUpperCase().replace(/ (.*)/, (_, of) => ` \`shop\`.\`${of.toLowerCase()}\``)}`,
    )
    expect(readdirSync(db.backups)).toEqual([])
    await db.ask(`${drop} shop.sneak`)
    expect(backupResult((await db.backup()).report)?.incomplete).toEqual([])
  },
)

test('a name that ends in a line break hides nothing, and alone it stops no dump', async () => {
  const named = '`sneak\n`'
  await store(`CREATE PROCEDURE ${named}() SELECT 1`)
  expect(failureOf((await db.backup({ scheduledFor })).report)).toBeUndefined()
  await db.ask(`DROP PROCEDURE shop.${named}`)
  await store('CREATE PROCEDURE sneak() SELECT 1')
  await store(`CREATE PROCEDURE ${named}() ${quoted}`, 'ANSI_QUOTES')
  expect(failureOf((await db.backup({ scheduledFor })).report)).toContain(': PROCEDURE `shop`.`sneak?`')
  await db.ask(`DROP PROCEDURE shop.sneak; DROP PROCEDURE shop.${named}`)
})

test('however many programs are refused, what to do is told', async () => {
  const names = Array.from({ length: 30 }, (_, i) => `${'sneak'.repeat(10)}${i}`)
  await store(names.map((name) => `CREATE PROCEDURE ${name}(i INT /* ;; */) SELECT 1`).join(' ~~~\n'))
  const { report } = await db.backup({ scheduledFor })
  await db.ask(names.map((name) => `DROP PROCEDURE shop.${name};`).join(''))
  expect(failureOf(report)).toMatch(
    /^no dump was made: .*these 30 stored programs.* and drop them, or rewrite them/,
  )
})

// The second way is for a server that keeps no statistics of statements.
test.each(['YES', 'NO'])(
  'no dump is made with a trigger that was begun before and made after the look (statistics: %s)',
  async (statistics) => {
    const instrument = (enabled: string) =>
      db.ask(
        `UPDATE performance_schema.setup_instruments SET enabled = '${enabled}' WHERE name = 'statement/sql/create_trigger'`,
      )
    onTestFinished(async () => {
      await instrument('YES')
    })
    await instrument(statistics)
    onTestFinished(stopReading)
    const reading = db.ask('BEGIN; SELECT * FROM shop.t; SELECT SLEEP(600)').catch(() => undefined)
    await until('the table to be read', async () => (await doing("info LIKE 'SELECT SLEEP%'")) === 1)
    const trigger = `CREATE TRIGGER sneak BEFORE INSERT ON t FOR EACH ROW ${quotedBlock}`
    const made = store(trigger, 'ANSI_QUOTES')
    await until('the trigger to wait', async () => (await doing(waiting)) === 1)
    const go = join(db.backups, 'go')
    const patient =
      'mysqldump() { until [[ -e "$BACKUPS/go" ]]; do sleep 0.1; done; command mysqldump "$@"; }; export -f mysqldump;'
    const job = backupJob(db.mysql, { claimUid: db.claimUid, cause: { scheduledFor } })
    const running = db.job(job, (spec) => ({
      ...spec,
      command: ['bash', '-c', `${patient} exec ${spec.command?.join(' ')}`],
    }))
    await until('the dump to begin', () => {
      if (running.hasEnded) throw new Error(`the dump has ended:\n${running.output}`)
      return running.output.includes('dumping 1 databases')
    })
    await stopReading()
    await Promise.all([reading, made])
    writeFileSync(go, '')
    const { report } = await running.ended
    expect(failureOf(report)).toContain(
      statistics === 'YES' ? 'made or altered while' : ': TRIGGER `shop`.`sneak`',
    )
    expect(readdirSync(db.backups).filter((file) => file.endsWith('.json'))).toEqual([])
    await db.ask('DROP TRIGGER shop.sneak')
  },
)

const stopReading = async () => {
  const ids = await db.ask("SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'")
  for (const id of ids.split('\n').filter(Boolean)) await db.ask(`KILL ${id}`)
}
const waiting = "state = 'Waiting for table metadata lock'"
const doing = async (what: string) =>
  Number(
    await db.ask(
      `SELECT COUNT(*) FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND ${what}`,
    ),
  )

test('what people usually write in programs does not keep a dump from being made', async () => {
  await store(`CREATE PROCEDURE fine(IN name TEXT) COMMENT 'It''s "fine"'
BEGIN
\tDECLARE path TEXT DEFAULT 'C:\\\\new\\0'; -- größer;
\t/* two; ; three */ IF name = "a\\"b" THEN SELECT path; END IF;
END`)
  await store(`CREATE PROCEDURE ansi() SELECT 1 AS "größe", 'it''s'`, 'ANSI')
  expect(failureOf((await db.backup()).report)).toBeUndefined()
})
