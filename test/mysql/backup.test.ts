import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { needsNativePassword } from '../../src/api/image.ts'
import { backupResult, failureOf, restoreResult } from '../../src/desired/results.ts'
import { type Container, until } from './container.ts'
import { mysqlImage } from './image.ts'
import { Instance } from './instance.ts'

let db: Instance
beforeAll(async () => {
  db = await Instance.create({ database: 'otus-database' })
  await db.startNew()
})
beforeEach(async () => {
  await db.reset()
  expect((await db.restore()).code).toBe(0)
})
afterAll(() => db.remove())

const stamped = /^shop-\d{8}T\d{6}Z\.sql\.gz$/
const checksums = async () => {
  const tables = (
    await db.ask(
      `SELECT CONCAT('\`', REPLACE(table_schema, '\`', '\`\`'), '\`.\`', REPLACE(table_name, '\`', '\`\`'), '\`')
       FROM information_schema.tables WHERE table_type = 'BASE TABLE'
       AND table_schema NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys', 'mysql_operator')
       ORDER BY 1`,
    )
  ).split('\n')
  return db.ask(`CHECKSUM TABLE ${tables.join(', ')}`)
}

const fill = () =>
  db.ask(`
    USE \`otus-database\`;
    CREATE TABLE test (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(64), raw VARBINARY(300), at TIMESTAMP(6) DEFAULT NOW(6));
    INSERT INTO test (name, raw) VALUES ('plain', NULL), ('emoji 🐬 ''quoted'' \\\\ back', 0x00FF5C270A0D1A), ('', '');
    CREATE VIEW good AS SELECT name FROM test;
    CREATE TRIGGER shout BEFORE INSERT ON test FOR EACH ROW SET NEW.name = UPPER(NEW.name);
    CREATE PROCEDURE count_test () SELECT COUNT(*) FROM test;
    CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO DELETE FROM test WHERE id < 0;
    CREATE DATABASE \`odd\`\`name; -x\`;
    CREATE TABLE \`odd\`\`name; -x\`.\`-t\` (a INT, b INT AS (a + 1) STORED);
    INSERT INTO \`odd\`\`name; -x\`.\`-t\` (a) VALUES (41);
    CREATE DATABASE latin CHARACTER SET latin1;
    CREATE DATABASE \`-v\`;
  `)

test('what a dump took comes back in a new volume, row by row and with everything around the rows', async () => {
  await fill()
  const before = await checksums()
  const done = await db.backup()
  const result = backupResult(done.report)
  expect(done.stderr).toBe('')
  expect(result).toMatchObject({ file: expect.stringMatching(stamped), tables: 2, incomplete: [] })
  const file = result?.file ?? ''
  const record = JSON.parse(readFileSync(join(db.backups, file.replace('.sql.gz', '.json')), 'utf8'))
  expect(record).toMatchObject({
    file,
    sha256: result?.sha256,
    bytes: result?.bytes,
    ownerUid: db.mysql.metadata.uid,
  })
  expect(readdirSync(db.backups)).toHaveLength(2)

  await db.loseData()
  await db.startNew()
  const restored = restoreResult((await db.restore()).report)
  expect(restored).toMatchObject({ from: file, tables: 2 })
  expect(await checksums()).toBe(before)
  expect(await db.ask('SELECT name FROM `otus-database`.test WHERE id = 2')).toBe("emoji 🐬 'quoted' \\ back")
  expect(await db.ask('SELECT HEX(raw) FROM `otus-database`.test WHERE id = 2')).toBe('00FF5C270A0D1A')
  expect(
    await db.ask(
      "INSERT INTO `otus-database`.test (name) VALUES ('loud'); CALL `otus-database`.count_test()",
    ),
  ).toBe('4')
  expect(await db.ask('SELECT name FROM `otus-database`.good ORDER BY 1 DESC LIMIT 1')).toBe('plain')
  expect(await db.ask("SELECT COUNT(*) FROM `otus-database`.test WHERE BINARY name = 'LOUD'")).toBe('1')
  expect(await db.ask('SHOW EVENTS FROM `otus-database`')).toContain('nightly')
  expect(
    await db.ask(
      "SELECT default_character_set_name FROM information_schema.schemata WHERE schema_name = 'latin'",
    ),
  ).toBe('latin1')
  expect(await db.ask("SHOW DATABASES LIKE '-v'")).toBe('-v')
})

test('a broken view is left out by name and does not stop the dump', async () => {
  await db.ask(`USE \`otus-database\`; CREATE TABLE gone (i INT); CREATE TABLE kept (i INT);
    CREATE VIEW \`bro"ken\` AS SELECT i FROM gone; CREATE VIEW fine AS SELECT i FROM kept; DROP TABLE gone`)
  const result = backupResult((await db.backup()).report)
  expect(result?.incomplete).toEqual(['otus-database.bro"ken'])
  await db.loseData()
  await db.startNew()
  expect((await db.restore()).code).toBe(0)
  expect(await db.ask('SHOW TABLES FROM `otus-database`')).toBe('fine\nkept')
})

test.skipIf(needsNativePassword(mysqlImage))(
  'accounts of people’s own come back with passwords, rights and roles, and the managed ones as the resource says',
  async () => {
    await db.ask(`
    CREATE ROLE reader; GRANT SELECT ON ${'`otus\\_data%`'}.* TO reader;
    CREATE USER 'o''hara; -- "x'@'10.%' IDENTIFIED BY 'o-password' COMMENT 'a "comment"';
    CREATE USER app IDENTIFIED BY 'app-password' DEFAULT ROLE reader WITH MAX_USER_CONNECTIONS 3;
    GRANT reader TO app; GRANT INSERT ON ${'`otus-database`'}.* TO app;
    CREATE USER locked IDENTIFIED BY 'x' ACCOUNT LOCK;
    CREATE USER 'line${'\n'}break' IDENTIFIED BY 'x';
    CREATE USER odd IDENTIFIED BY 'x'; GRANT SELECT ON ${'`a\nb`'}.* TO odd;
    ALTER USER root@localhost ATTRIBUTE '{"kept": "no"}'`)
    const shown = () =>
      db.ask(
        "SET print_identified_with_as_hex = ON; SHOW CREATE USER app; SHOW GRANTS FOR app; SHOW CREATE USER 'o''hara; -- \"x'@'10.%'; SHOW GRANTS FOR reader; SHOW CREATE USER locked",
      )
    const before = await shown()
    const done = await db.backup()
    const result = backupResult(done.report)
    expect(result?.incomplete).toEqual([
      "account 'odd'@'%'",
      '1 accounts with control characters in their names',
    ])
    expect(readdirSync(db.backups)).toHaveLength(3)
    expect(done.stdout + done.report).not.toMatch(/0x2441|\$A\$/)

    await db.loseData()
    await db.startNew()
    db.setPassword('root', 'another-root')
    const { report } = await db.restore()
    expect(restoreResult(report)).toMatchObject({ from: result?.file, skippedAccounts: [] })
    expect(await shown()).toBe(before)
    expect(await db.mayLogIn('app', 'app-password')).toBe(true)
    expect(await db.mayLogIn('root', 'another-root')).toBe(true)
    expect(await db.mayLogIn('root', 'root-password')).toBe(false)
    expect(await db.ask("SELECT COUNT(*) FROM mysql.user WHERE user_attributes LIKE '%kept%'")).toBe('0')
  },
)

test('an account that the server cannot make is left out by name, and a damaged accounts file is no reason to fail', async () => {
  await db.ask("CREATE USER app IDENTIFIED BY 'x'")
  const base = (backupResult((await db.backup()).report)?.file ?? '').replace('.sql.gz', '')
  const accounts = join(db.backups, `${base}.accounts.sql.gz`)
  const sql = gunzipSync(readFileSync(accounts))
    .toString()
    .replace(/WITH '\w+'/, "WITH 'no_such_plugin'")
  writeFileSync(accounts, gzipSync(sql))
  const pending =
    "SET GLOBAL read_only = OFF; DROP USER app; UPDATE mysql_operator.instance SET state = 'pending'"
  await db.ask(pending)
  expect(restoreResult((await db.restore()).report)?.skippedAccounts).toEqual([
    `all accounts: ${base}.accounts.sql.gz is missing or damaged`,
  ])
  const record = join(db.backups, `${base}.json`)
  const sum = createHash('sha256').update(readFileSync(accounts)).digest('hex')
  const text = readFileSync(record, 'utf8')
  writeFileSync(record, text.replace(/"accountsSha256":"\w+"/, `"accountsSha256":"${sum}"`))
  await db.ask("UPDATE mysql_operator.instance SET state = 'pending'")
  const { stdout, report } = await db.restore()
  expect(restoreResult(report)?.skippedAccounts).toEqual(["'app'@'%'"])
  expect(stdout).toContain("not yet 'app'@'%': ERROR 1524")
})

const eves = () => db.ask("SELECT COUNT(*) FROM mysql.user WHERE user = 'eve' AND select_priv = 'Y'")

test.skipIf(needsNativePassword(mysqlImage))(
  'accounts whose statements the server writes otherwise than it reads them are left out by name',
  async () => {
    await db.ask(`DROP USER IF EXISTS eve, y, z, q; CREATE USER eve IDENTIFIED BY 'x';
      CREATE USER q IDENTIFIED BY 'x' REQUIRE SUBJECT '/CN=q' COMMENT 'it''s \\\\ fine; -- it is';
      CREATE USER y REQUIRE ISSUER '/CN=\\\\' AND CIPHER '; GRANT ALL ON *.* TO \`eve\`@\`%\`; -- ';
      CREATE USER z REQUIRE SUBJECT '/CN=x''; GRANT ALL ON *.* TO \`eve\`@\`%\`; -- '`)
    const result = backupResult((await db.backup()).report)
    expect(result?.incomplete).toEqual(["account 'y'@'%'", "account 'z'@'%'"])
    await db.ask(
      "SET GLOBAL read_only = OFF; DROP USER eve, y, z, q; UPDATE mysql_operator.instance SET state = 'pending'",
    )
    expect(restoreResult((await db.restore()).report)?.skippedAccounts).toEqual([])
    expect(await eves()).toBe('0')
    expect(await db.ask("SELECT COUNT(*) FROM mysql.user WHERE user IN ('eve', 'q', 'y', 'z')")).toBe('2')
    await db.ask('DROP USER eve, q')
  },
)

test('what lies in the file of accounts from before is looked at again, and no command of the client is run', async () => {
  await db.ask("CREATE USER app IDENTIFIED BY 'x'; CREATE USER x IDENTIFIED BY 'x'")
  const base = (backupResult((await db.backup()).report)?.file ?? '').replace('.sql.gz', '')
  poison(base, (sql) =>
    sql.replace(
      'USER IF NOT EXISTS `x`@`%` ',
      "USER IF NOT EXISTS `x`@`%` REQUIRE SUBJECT '/CN=x'; GRANT ALL ON *.* TO `app`@`%`; \\! touch /backup-shop-pv/pwned\n",
    ),
  )
  await db.ask(
    "SET GLOBAL read_only = OFF; DROP USER app, x; UPDATE mysql_operator.instance SET state = 'pending'",
  )
  expect(restoreResult((await db.restore()).report)?.skippedAccounts).toEqual(["'x'@'%'"])
  expect(await db.ask("SELECT select_priv FROM mysql.user WHERE user = 'app'")).toBe('N')
  expect(readdirSync(db.backups)).not.toContain('pwned')
})

/** Changes a file of accounts together with its sum. */
const poison = (base: string, change: (sql: string) => string) => {
  const accounts = join(db.backups, `${base}.accounts.sql.gz`)
  writeFileSync(accounts, gzipSync(change(gunzipSync(readFileSync(accounts)).toString())))
  const record = join(db.backups, `${base}.json`)
  const sum = createHash('sha256').update(readFileSync(accounts)).digest('hex')
  writeFileSync(
    record,
    readFileSync(record, 'utf8').replace(/"accountsSha256":"\w+"/, `"accountsSha256":"${sum}"`),
  )
}

test('an account that goes while accounts are read costs itself only', async () => {
  await db.ask("CREATE USER app IDENTIFIED BY 'x'; CREATE USER x IDENTIFIED BY 'x'")
  // As if one of the list had been dropped just then.
  const done = await db.shell(
    `cp /etc/mysql-operator/config/*.sh /tmp && sed -i "s/^  list_accounts$/&; who+=(\\"'gone'@'%'\\")/" /tmp/backup.sh &&
      exec bash /tmp/backup.sh`,
  ).ended
  expect(backupResult(done.report)?.incomplete, done.stderr).toEqual(["account 'gone'@'%'"])
})

const write = () =>
  db.query('CREATE TABLE IF NOT EXISTS t (i INT); INSERT INTO t VALUES (1)', 'ali', 'user-password', [
    'otus-database',
  ])

test('nothing is acknowledged that the dump does not have: from its start on, writes are refused', async () => {
  await bigTable()
  const running = db.backingUp()
  await until('some of the dump', () => partials().length > 0)
  expect((await write()).stderr).toContain('read-only option')
  expect((await running.ended).code).toBe(0)
  expect((await write()).stderr).toContain('read-only option')
  await db.stopServer()
  await db.start()
  // As after a change of mind to deletionPolicy Retain: nothing of it is kept.
  expect((await write()).stderr).not.toContain('ERROR')
})

test.each([
  ['failed', (running: Container) => running.ended, 'ulimit -f 200;'],
  ['was told to stop', (running: Container) => running.stop('SIGTERM'), ''],
])('a dump that %s leaves a database that can be written to', async (_, end, limit) => {
  await bigTable()
  const running = db.shell(`${limit} exec bash /etc/mysql-operator/config/backup.sh`)
  await until('some of the dump', () => partials().length > 0)
  expect((await end(running)).code).not.toBe(0)
  expect((await write()).stderr).not.toContain('ERROR')
})

const bigTable = () =>
  db.ask(`SET GLOBAL read_only = OFF; USE \`otus-database\`; CREATE TABLE big (id INT PRIMARY KEY AUTO_INCREMENT, x VARBINARY(2000));
    INSERT INTO big (x) SELECT RANDOM_BYTES(1000) FROM information_schema.columns a LIMIT 3000;
    INSERT INTO big (x) SELECT x FROM big; INSERT INTO big (x) SELECT x FROM big;`)

const partials = () => readdirSync(db.backups).filter((file) => file.endsWith('.partial'))

test('killed half way it leaves the older dump whole, and what it wrote is no dump', async () => {
  await bigTable()
  const older = backupResult((await db.backup()).report)?.file ?? ''
  const before = readFileSync(join(db.backups, older))
  const killed = db.backingUp()
  await until('some of the dump', () => partials().length > 0 && sizeOf(partials()[0] ?? '') > 100_000)
  await killed.stop('SIGKILL')
  expect(partials()).toHaveLength(1)
  expect(readdirSync(db.backups).filter((file) => stamped.test(file))).toEqual([older])
  expect(readFileSync(join(db.backups, older)).equals(before)).toBe(true)

  const again = backupResult((await db.backup()).report)?.file ?? ''
  expect(partials()).toEqual([])
  expect(readdirSync(db.backups).filter((file) => stamped.test(file))).toEqual([older, again])
})

const sizeOf = (file: string) => readFileSync(join(db.backups, file)).length

test('(control) the redirection of the first operator leaves nothing of the older dump when it is killed', async () => {
  await bigTable()
  const target = join(db.backups, 'shop-dump.sql')
  writeFileSync(target, 'the only good dump\n-- Dump completed\n')
  chmodSync(target, 0o666)
  const folder = '/backup-shop-pv'
  const killed = db.shell(`mysqldump --defaults-file=/etc/mysql-operator/client/client.cnf --host="$SERVER" \
    otus-database > ${folder}/shop-dump.sql`)
  await until('some of the dump', () => readFileSync(target).length > 100_000)
  await killed.stop('SIGKILL')
  expect(readFileSync(target, 'utf8')).not.toContain('the only good dump')
  expect(readFileSync(target, 'utf8')).not.toContain('-- Dump completed')
})

test('a server that goes away in the middle makes it fail, with a reason, and leaves no dump', async () => {
  await bigTable()
  const failing = db.backingUp()
  await until('some of the dump', () => partials().length > 0 && sizeOf(partials()[0] ?? '') > 100_000)
  await db.stopServer('SIGKILL')
  const { code, report } = await failing.ended
  expect(code).toBe(1)
  expect(failureOf(report)).toContain('the dump failed')
  expect(readdirSync(db.backups).filter((file) => stamped.test(file))).toEqual([])
  await db.start()
})

test('a full backup volume makes it fail and leaves the older dump', async () => {
  const older = backupResult((await db.backup()).report)?.file ?? ''
  await bigTable()
  const done = await db.shell(`ulimit -f 200; exec bash /etc/mysql-operator/config/backup.sh`).ended
  expect(failureOf(done.report)).toContain('the dump failed')
  expect(readdirSync(db.backups).filter((file) => stamped.test(file))).toEqual([older])
  expect(existsSync(join(db.backups, older.replace('.sql.gz', '.json')))).toBe(true)
})

test('a database that was never filled is not dumped over the dumps that it should have been filled from', async () => {
  await db.ask("UPDATE mysql_operator.instance SET state = 'pending'")
  const { code, report } = await db.backup()
  expect(code).toBe(0)
  expect(backupResult(report)).toMatchObject({ file: null, tables: 0 })
  expect(readdirSync(db.backups)).toEqual([])
})

test('neither log nor report nor dump holds a password or a hash', async () => {
  const { stdout, stderr, report } = await db.backup()
  const [file = ''] = readdirSync(db.backups).filter((name) => stamped.test(name))
  const sql = execFileSync('gzip', ['-dc', join(db.backups, file)], { encoding: 'utf8' })
  for (const text of [stdout, stderr, report, sql])
    expect(text).not.toMatch(/operator-password|\$A\$005|0x2441/)
})
