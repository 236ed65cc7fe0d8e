/** What a tag says about the server inside; the running server has the last word. */
export interface ImageVersion {
  major: number
  minor: number
  patch?: number
}

/** Releases with long-term support, oldest first: an upgrade goes from one to the next. */
const longTermSeries = ['5.6', '5.7', '8.0', '8.4', '9.7']

/** The tag of an image reference, if it has one: `host:5000/mysql` has none. */
export const tagOf = (image: string): string | undefined => {
  const withoutDigest = image.split('@')[0] ?? ''
  const last = withoutDigest.slice(withoutDigest.lastIndexOf('/') + 1)
  const colon = last.indexOf(':')
  return colon < 0 ? undefined : last.slice(colon + 1)
}

/** The version that the tag names, such as 8.0 or 9.7.4; undefined for `latest`, digests and names of the user's own. */
export const versionOf = (image: string): ImageVersion | undefined => {
  const match = /^v?(\d{1,2})\.(\d{1,2})(?:\.(\d{1,3}))?(?:[-_].*)?$/.exec(tagOf(image) ?? '')
  if (!match) return undefined
  const [, major, minor, patch] = match
  return {
    major: Number(major),
    minor: Number(minor),
    ...(patch === undefined ? {} : { patch: Number(patch) }),
  }
}

/** True if the tag can mean another image tomorrow: none, `latest`, or a series without a patch is left to the user. */
export const isFloating = (image: string): boolean => {
  const tag = tagOf(image)
  return !image.includes('@') && (tag === undefined || tag === 'latest')
}

const series = ({ major, minor }: ImageVersion) => `${major}.${minor}`

/** Older than `other`; the patch counts only where both tags name one. */
export const isOlder = (version: ImageVersion, other: ImageVersion): boolean => {
  if (version.major !== other.major) return version.major < other.major
  if (version.minor !== other.minor) return version.minor < other.minor
  return version.patch !== undefined && other.patch !== undefined && version.patch < other.patch
}

/** The long-term series that an upgrade from `from` to `to` would jump over, if any: MySQL supports no such jump. */
export const skippedSeries = (from: ImageVersion, to: ImageVersion): string | undefined =>
  longTermSeries.find((name) => {
    const [major = 0, minor = 0] = name.split('.').map(Number)
    const between = { major, minor }
    return (
      series(between) !== series(from) &&
      isOlder(from, between) &&
      isOlder({ major, minor }, { major: to.major, minor: to.minor })
    )
  })

/** Servers older than 8.0 know only `mysql_native_password`. An unreadable tag counts as at least 8.0. */
export const needsNativePassword = (image: string): boolean => (versionOf(image)?.major ?? 8) < 8

/** A series that gets no more fixes. */
export const isEndOfLife = (image: string): boolean => {
  const version = versionOf(image)
  return version !== undefined && isOlder(version, { major: 8, minor: 4 })
}
