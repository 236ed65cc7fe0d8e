/** Secrets searched for in every form in which something could have kept them. */

/** Letters and digits that no encoding below changes in a way of its own: the part of a password that is searched for. */
const core = (secret: string): string => {
  const [longest = ''] = [...secret.matchAll(/[A-Za-z0-9]+/g)]
    .map(([run]) => run)
    .sort((a, b) => b.length - a.length)
  if (longest.length < 16) throw new Error('too short to be searched for: something else could look like it')
  return longest
}

/** As base64 of something longer: what is the same whatever stands before and after, for all three alignments. */
const base64Forms = (text: string) =>
  [0, 1, 2].map((shift) => {
    const encoded = Buffer.concat([Buffer.alloc(shift), Buffer.from(text)]).toString('base64')
    const whole = Math.floor(((shift + text.length) * 8) / 6)
    return encoded.slice(Math.ceil((shift * 8) / 6), whole)
  })

/** A secret raw, in base64, in hex, URL-encoded and as UTF-16, each as Latin-1 text. */
export const forms = (secret: string): string[] => {
  const text = core(secret)
  const bytes = [...Buffer.from(text)].map((byte) => byte.toString(16))
  const hex = bytes.join('')
  const all = [
    text,
    ...base64Forms(text),
    hex,
    hex.toUpperCase(),
    `%${bytes.join('%')}`,
    `%${bytes.join('%')}`.toUpperCase(),
  ]
  const double = Buffer.from(text).toString('base64')
  return [...new Set([...all, ...base64Forms(double.replace(/=+$/, '')), text.split('').join('\0')])]
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')

/** Something that was found: whose secret, and where. */
export interface Trace {
  secret: string
  place: string
}

export type Search = (place: string, content: Buffer | string) => Trace[]

/** A search for several secrets at once, each under a name under which it is reported. */
export const searchFor = (secrets: Record<string, string>): Search => {
  const patterns = Object.entries(secrets).map(
    ([secret, value]) => [secret, new RegExp(forms(value).map(escaped).join('|'))] as const,
  )
  return (place, content) => {
    const text = typeof content === 'string' ? content : content.toString('latin1')
    return patterns.filter(([, pattern]) => pattern.test(text)).map(([secret]) => ({ secret, place }))
  }
}
