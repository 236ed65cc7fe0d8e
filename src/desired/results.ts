import { Ajv } from 'ajv'

/** What the init container says at each start of a pod. */
export interface InitResult {
  /** Of mysqld in the image, such as 9.7.4. */
  version: string
  /** True if this start made the data directory. */
  initialised: boolean
}

export interface RestoreResult {
  version: string
  /** The dump's file name; null if there was none, or none was wanted. */
  from: string | null
  /** Base tables in all schemas that are not the server's or the operator's own. */
  tables: number
  /** Accounts of the dump that were left out, as 'name'@'host', because the server lacks their plugin. */
  skippedAccounts: string[]
  /** True if an earlier run had finished already, and this one only reports it. */
  already: boolean
}

export interface PasswordResult {
  accounts: {
    account: 'root' | 'user'
    /** What the Job found: no such account, another password, the wanted one; `drifted` when it was only to compare. */
    was: 'new' | 'changed' | 'unchanged' | 'drifted'
    /** The account is left with a second password, the one before. */
    old: boolean
  }[]
}

export interface BackupResult {
  /** Null if there was nothing to dump: the database still waits for its restore. */
  file: string | null
  bytes: number
  tables: number
  /** Of the file, in lower-case hex; null without one. */
  sha256: string | null
  version: string
  /** Views that were left out since the server cannot read them, as schema.name; the list may end in "and n more". */
  incomplete: string[]
}

export interface VerifyResult {
  /** Null if there is no dump. */
  file: string | null
  /** Base tables that were restored and checked; 0 if it did not come to that. */
  tables: number
  /** Of the mysqld that the dump was restored into. */
  version: string
  /** Why the dump is bad; null if it is good. */
  flaw: string | null
}

const text = (maxLength: number, pattern: string) => ({ type: 'string', maxLength, pattern }) as const
const version = text(64, '^[0-9]+\\.[0-9]+\\.[0-9]+[A-Za-z0-9.+~_-]*$')
const file = text(255, '^[A-Za-z0-9][A-Za-z0-9._-]*$')
const orNull = (schema: ReturnType<typeof text>) => ({ ...schema, type: ['string', 'null'] })
const count = { type: 'integer', minimum: 0 } as const
const list = { type: 'array', maxItems: 100, items: { type: 'string', maxLength: 300 } } as const

const object = <const P extends Record<string, unknown>>(properties: P) => ({
  type: 'object' as const,
  properties,
  required: Object.keys(properties),
  additionalProperties: false as const,
})

const ajv = new Ajv({ strict: true, strictTypes: false })

const parse = (message: string): unknown => {
  try {
    return JSON.parse(message)
  } catch {
    // What is no JSON is no result; the callers of the readers are told so.
    return undefined
  }
}

/**
 * A reader of one script's termination message. It answers undefined for anything that is not exactly one object of
 * that shape: the script failed, wrote nothing, or somebody else wrote it.
 */
const reader = <T>(schema: object) => {
  const isResult = ajv.compile<T>(schema)
  return (message: string): T | undefined => {
    const value = parse(message)
    return isResult(value) ? value : undefined
  }
}

const failure = reader<{ error: string }>(object({ error: text(2000, '^[^\\n]+$') }))

/** Why a script failed, in its own words and without secrets; undefined if it did not say. */
export const failureOf = (message: string): string | undefined => failure(message)?.error

export const initResult = reader<InitResult>(object({ version, initialised: { type: 'boolean' } }))

export const restoreResult = reader<RestoreResult>(
  object({
    version,
    from: orNull(file),
    tables: count,
    skippedAccounts: list,
    already: { type: 'boolean' },
  }),
)

export const passwordResult = reader<PasswordResult>(
  object({
    accounts: {
      type: 'array',
      minItems: 1,
      maxItems: 2,
      items: object({
        account: { enum: ['root', 'user'] },
        was: { enum: ['new', 'changed', 'unchanged', 'drifted'] },
        old: { type: 'boolean' },
      }),
    },
  }),
)

export const backupResult = reader<BackupResult>(
  object({
    file: orNull(file),
    bytes: count,
    tables: count,
    sha256: orNull(text(64, '^[0-9a-f]{64}$')),
    version,
    incomplete: list,
  }),
)

export const verifyResult = reader<VerifyResult>(
  object({ file: orNull(file), tables: count, version, flaw: orNull(text(2000, '^[^\\n]+$')) }),
)
