import { isEndOfLife, isFloating, needsNativePassword, versionOf } from './image.ts'
import type { MySQL } from './mysql.ts'

/** Something that is allowed and that its author should still know; kubectl prints it behind "Warning:". */
interface Warning {
  /** At most 256 characters, or the API server cuts it off. */
  text: string
  applies: (mysql: MySQL) => boolean
}

/** Everything that is worth a warning. */
export const warnings: readonly Warning[] = [
  {
    text: 'spec.image has no fixed tag, so a restart can bring another version: name one, such as mysql:9.7',
    applies: ({ spec }) => isFloating(spec.image),
  },
  {
    text: 'spec.image: the version cannot be read from the tag; it is taken to be 8.0 or newer',
    applies: ({ spec }) => !isFloating(spec.image) && versionOf(spec.image) === undefined,
  },
  {
    text: 'spec.image is of a series that gets no more security fixes: plan to move to 8.4 or 9.7',
    applies: ({ spec }) => isEndOfLife(spec.image),
  },
  {
    text: 'spec.image is older than 8.0 and knows only mysql_native_password, whose hash has no salt: use a newer image',
    applies: ({ spec }) => needsNativePassword(spec.image),
  },
  {
    text: 'spec.passwordGraceSeconds has no effect: a server older than 8.0.14 keeps no second password',
    applies: ({ spec }) => spec.passwordGraceSeconds > 0 && needsNativePassword(spec.image),
  },
  {
    text: 'spec.resources has no memory limit, so this server can push others off its node: set resources.limits.memory',
    applies: ({ spec }) => spec.resources?.limits?.memory === undefined,
  },
  {
    text: 'spec.backup has no schedule, so no dump is made until this resource is deleted: set spec.backup.schedule, such as "30 2 * * *"',
    applies: ({ spec }) => spec.backup.schedule === undefined,
  },
  {
    text: 'spec.deletionPolicy is Delete: when this resource is deleted, its data is gone without a dump',
    applies: ({ spec }) => spec.deletionPolicy === 'Delete',
  },
]

/** Warnings about a resource that breaks no rule. */
export const warningsFor = (mysql: MySQL): string[] =>
  warnings.filter(({ applies }) => applies(mysql)).map(({ text }) => text)
