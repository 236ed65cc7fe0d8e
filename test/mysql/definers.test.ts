/**
 * A server reads a view of a view only while the inner one's definer exists and may read what that is made of. Accounts come
 * after the tables that they have rights on, and some were dropped long ago: neither may cost anybody a restore.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { backupResult, failureOf, restoreResult, verifyResult } from '../../src/desired/results.ts'
import { definitions } from './definitions.ts'
import { Instance } from './instance.ts'

let db: Instance
beforeAll(async () => {
  db = await Instance.create({ database: 'shop' })
  await db.startNew()
  expect((await db.restore({ from: 'none' })).code).toBe(0)
})
afterAll(() => db.remove())

const accounts = () => db.ask('SELECT user, host, account_locked FROM mysql.user ORDER BY 1, 2')
const root = (sql: string) => db.query(sql, 'root', 'root-password', ['shop'])

/** A view by that account, and one of it: making the second needs the first one's definer. */
const viewsBy = (name: string, definer: string) =>
  `CREATE DEFINER = ${definer} VIEW ${name} AS SELECT id, doubled(id) AS twice FROM t; CREATE VIEW of_${name} AS SELECT * FROM ${name};`

test('views come back whoever made them: the account of the resource, one with rights on single tables, one that is gone', async () => {
  await db.ask(`USE shop; CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (21);
    CREATE DEFINER = 'ali'@'%' FUNCTION doubled (n INT) RETURNS INT NO SQL RETURN n * 2;
    CREATE USER app IDENTIFIED BY 'app-password'; GRANT SELECT ON shop.t TO app; GRANT EXECUTE ON FUNCTION shop.doubled TO app;
    CREATE USER \`o'hara "\`\`x\`@'10.%', left_us; GRANT SELECT, EXECUTE ON shop.* TO \`o'hara "\`\`x\`@'10.%', left_us;
    ${viewsBy('resources', "'ali'@'%'")} ${viewsBy('roots', "'root'@'%'")} ${viewsBy('apps', 'app')}
    ${viewsBy('oharas', "`o'hara \"``x`@'10.%'")} ${viewsBy('nobodys', 'left_us')}
    CREATE DEFINER = left_us PROCEDURE orphan () SELECT 1; CREATE DEFINER = left_us TRIGGER late BEFORE INSERT ON t FOR EACH ROW SET @x = 1;
    CREATE DEFINER = left_us EVENT never ON SCHEDULE AT '2040-01-01 00:00:00' DO DELETE FROM t;
    DROP USER left_us`)
  const before = { definitions: await definitions(db), accounts: await accounts() }
  const made = await db.backup()
  const dump = backupResult(made.report)
  expect([failureOf(made.report), dump?.incomplete]).toEqual([undefined, []])

  const verified = await db.verify()
  expect(verifyResult(verified.report)).toMatchObject({ file: dump?.file, tables: 1, flaw: null })

  await db.loseData()
  await db.startNew()
  // A run that was killed may have left an account that stood in for a definer.
  await db.ask(
    'CREATE USER app ACCOUNT LOCK; GRANT SELECT, EXECUTE ON *.* TO app; CREATE USER left_us ACCOUNT LOCK',
  )
  const { report } = await db.restore()
  expect(failureOf(report)).toBeUndefined()
  expect(restoreResult(report)).toMatchObject({ from: dump?.file, tables: 1, skippedAccounts: [] })
  expect({ definitions: await definitions(db), accounts: await accounts() }).toEqual(before)
  expect(await db.ask('SHOW GRANTS FOR app')).not.toContain('SELECT ON *.*')
  for (const view of ['resources', 'roots', 'apps', 'oharas'])
    expect((await root(`SELECT * FROM of_${view}`)).stdout).toBe('21\t42\n')
  expect((await root('SELECT * FROM of_nobodys')).stderr).toContain("definer ('left_us'@'%') does not exist")
  expect(await db.mayLogIn('app', 'app-password')).toBe(true)
})
