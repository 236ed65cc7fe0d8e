import { type Logger, pino } from 'pino'

/** Structured logs on standard output, one JSON object a line. Bodies of requests are never given to it. */
export const createLog = (level: string): Logger =>
  pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    // Nothing that could hold a password is logged on purpose; this is for the day when somebody logs a whole object.
    redact: {
      paths: [
        '*.password',
        '*.user_password',
        '*.data',
        '*.stringData',
        '*.literal',
        '*.body',
        'body',
        'headers',
        '*.headers',
      ],
      censor: '[removed]',
    },
    serializers: { err: describeError },
  })

/** What an error was and where, without its text: that may quote what was worked on, as a parser's does. */
export const withoutText = (error: unknown): { type: string; at: string[] } =>
  error instanceof Error
    ? { type: error.name, at: (error.stack ?? '').split('\n').filter((line) => /^ {4}at /.test(line)) }
    : { type: typeof error, at: [] }

/** An error without the fields that libraries hang on theirs, such as the request it came from. */
const describeError = (error: unknown): unknown => {
  if (!(error instanceof Error)) return { message: String(error) }
  const cause = error.cause === undefined ? {} : { cause: describeError(error.cause) }
  return { type: error.name, message: error.message, stack: error.stack, ...cause }
}
