import type { MySQL } from '../mysql.ts'
import type { Rule } from '../rule.ts'
import { hasWrongValue, isTimeZone, neverComes, scheduleForm } from '../schedule.ts'

const scheduleOf = ({ spec }: MySQL) => spec.backup.schedule

const isMacro = (schedule: string) => schedule.startsWith('@')
const namesZone = (schedule: string) => schedule.includes('TZ=')
const isOfForm = (schedule: string) => new RegExp(scheduleForm).test(schedule)

const none = '!has(self.backup) || !has(self.backup.schedule)'
const schedule = 'self.backup.schedule'

/** Rules on the schedule of the dumps. */
export const backupRules: Rule[] = [
  {
    field: 'spec.backup.schedule',
    refusal: 'is a word that not every cron knows',
    remedy:
      'write five fields: "0 * * * *" for @hourly, "0 0 * * *" for @daily, "0 0 * * 0" for @weekly, "0 0 1 * *" for @monthly, "0 0 1 1 *" for @yearly',
    cel: { at: 'spec', rule: `${none} || !${schedule}.startsWith('@')` },
    broken: (now) => isMacro(scheduleOf(now) ?? ''),
  },
  {
    field: 'spec.backup.schedule',
    refusal: 'has a time zone in it',
    remedy: 'give the five fields alone, and the time zone in spec.backup.timeZone',
    cel: { at: 'spec', rule: `${none} || !${schedule}.contains('TZ=')` },
    broken: (now) => namesZone(scheduleOf(now) ?? ''),
  },
  {
    field: 'spec.backup.schedule',
    refusal: 'is not five fields of numbers, names, "*", ranges, lists and steps',
    remedy:
      'write minute, hour, day of the month, month and day of the week, such as "30 2 * * *" for each night at 02:30, without seconds; leave the field out for no schedule',
    cel: {
      at: 'spec',
      rule: `${none} || ${schedule}.startsWith('@') || ${schedule}.contains('TZ=') || ${schedule}.matches('${scheduleForm}')`,
    },
    broken: (now) => {
      const text = scheduleOf(now)
      return text !== undefined && !isMacro(text) && !namesZone(text) && !isOfForm(text)
    },
  },
  {
    field: 'spec.backup.schedule',
    refusal: 'has a value that its field does not take',
    remedy:
      'write minutes 0-59, hours 0-23, days 1-31, months 1-12 or JAN-DEC, days of the week 0-7 or SUN-SAT, and ranges upwards',
    broken: (now) => hasWrongValue(scheduleOf(now) ?? ''),
  },
  {
    field: 'spec.backup.schedule',
    refusal: 'names a day that no year has',
    remedy: 'name a day that the month has; "0 0 28 2 *" is each 28 February',
    broken: (now) => neverComes(scheduleOf(now) ?? ''),
  },
  {
    field: 'spec.backup.timeZone',
    refusal: 'is not a time zone',
    remedy: 'write a name of the IANA database, such as Europe/Berlin or UTC, and no offset',
    broken: ({ spec }) => !isTimeZone(spec.backup.timeZone),
  },
]
