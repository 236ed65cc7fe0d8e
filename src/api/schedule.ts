/** Schedules of five fields in a time zone: which are understood, and when the next run is. */
import { Cron } from 'croner'

const value = '([0-9]{1,2}|[A-Za-z]{3})'
const item = `([*](/[0-9]{1,2})?|${value}(-${value}(/[0-9]{1,2})?)?)`
const field = `${item}(,${item})*`

/** Five fields of what every cron knows. Seconds, macros, `L`, `W`, `#` and `?` mean different things to different crons. */
export const scheduleForm = `^${field}( +${field}){4}$`

const isOfForm = (text: string) => new RegExp(scheduleForm).test(text)

/** The schedule, or undefined if the text is none: of another form, or with a number that its field does not take. */
const parse = (text: string, timeZone: string): Cron | undefined => {
  if (!isOfForm(text)) return undefined
  try {
    return new Cron(text, { timezone: timeZone, mode: '5-part' })
  } catch {
    // Its words are about its own dialect, which is larger than what is taken here.
    return undefined
  }
}

/** Has the text the form of a schedule, and a number in it that its field does not take, such as minute 60? */
export const hasWrongValue = (text: string): boolean => isOfForm(text) && parse(text, 'UTC') === undefined

/** A schedule that is understood and names a day that no year has, such as 31 February? */
export const neverComes = (text: string): boolean => parse(text, 'UTC')?.nextRun(new Date(0)) === null

/** A name of the IANA time zone database, and no offset such as `+02:00`, which knows no daylight saving time. */
export const isTimeZone = (name: string): boolean => {
  if (!/^[A-Za-z]/.test(name)) return false
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }) !== undefined
  } catch {
    return false
  }
}

/**
 * The first run after `after`; undefined if there is none. A time of day that a change of clocks skips comes right after
 * the gap, and one that comes twice is taken once.
 */
export const nextRun = (schedule: string, timeZone: string, after: Date): Date | undefined =>
  parse(schedule, timeZone)?.nextRun(after) ?? undefined
