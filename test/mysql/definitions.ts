import type { Instance } from './instance.ts'

const quoted = (column: string) => `CONCAT('\`', REPLACE(${column}, '\`', '\`\`'), '\`')`
const name = (schema: string, object: string) => `${quoted(schema)}, '.', ${quoted(object)}`
const own = (schema: string) =>
  `${schema} NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys', 'mysql_operator')`

/** Every object of people's own, as the statement that shows it. */
const shown = `
  SELECT CONCAT('SHOW CREATE DATABASE ', ${quoted('schema_name')}, ';') FROM information_schema.schemata WHERE ${own('schema_name')}
  UNION SELECT CONCAT('SHOW CREATE TABLE ', ${name('table_schema', 'table_name')}, ';') FROM information_schema.tables WHERE ${own('table_schema')}
  UNION SELECT CONCAT('SHOW CREATE ', routine_type, ' ', ${name('routine_schema', 'routine_name')}, ';') FROM information_schema.routines WHERE ${own('routine_schema')}
  UNION SELECT CONCAT('SHOW CREATE TRIGGER ', ${name('trigger_schema', 'trigger_name')}, ';') FROM information_schema.triggers WHERE ${own('trigger_schema')}
  UNION SELECT CONCAT('SHOW CREATE EVENT ', ${name('event_schema', 'event_name')}, ';') FROM information_schema.events WHERE ${own('event_schema')}
  ORDER BY 1`

/**
 * The definitions of all schemas, tables, views, routines, triggers and events of people's own, with sql_mode, time zone
 * and character sets, as the server shows them. The time at which a trigger was made is left out.
 */
export const definitions = async (db: Instance): Promise<string> =>
  (await db.ask(await db.ask(shown))).replace(/\t\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d\d$/gm, '')

/** CHECKSUM TABLE of all tables of people's own: one line each. */
export const checksums = async (db: Instance): Promise<string> => {
  const tables =
    await db.ask(`SELECT CONCAT(${name('table_schema', 'table_name')}) FROM information_schema.tables
    WHERE table_type = 'BASE TABLE' AND ${own('table_schema')} ORDER BY 1`)
  return db.ask(`CHECKSUM TABLE ${tables.split('\n').join(', ')}`)
}
