/** A search through many places: what was found where, and how much was looked at. */
import type { Search, Trace } from './traces.ts'

/** Something that is looked at. */
export interface Content {
  /** The row of the table that its size counts for. */
  kind: string
  /** Where a trace was found; the kind if left out. */
  place?: string
  bytes: Buffer | string
}

export interface Survey {
  traces: Trace[]
  /** One line for each kind of place: how many contents, and their bytes. */
  table: string
}

/** Larger contents are searched piece by piece, with an overlap that no form of a secret exceeds. */
const piece = 64 * 2 ** 20
const overlap = 512

const pieces = (bytes: Buffer | string): (Buffer | string)[] => {
  const count = Math.ceil(bytes.length / piece)
  return Array.from({ length: count }, (_, i) =>
    bytes.slice(Math.max(0, i * piece - overlap), (i + 1) * piece),
  )
}

/** Searches every content as it comes, so that only one is in memory at a time. */
export const survey = async (
  contents: AsyncIterable<Content> | Iterable<Content>,
  search: Search,
): Promise<Survey> => {
  const rows = new Map<string, { count: number; bytes: number }>()
  const traces = new Map<string, Trace>()
  for await (const { kind, place = kind, bytes } of contents) {
    const { count, bytes: before } = rows.get(kind) ?? { count: 0, bytes: 0 }
    rows.set(kind, { count: count + 1, bytes: before + bytes.length })
    for (const trace of pieces(bytes).flatMap((part) => search(place, part)))
      traces.set(`${trace.secret} ${trace.place}`, trace)
  }
  const lines = [...rows].map(
    ([kind, { count, bytes }]) =>
      `${kind.padEnd(28)} ${String(count).padStart(6)} ${String(bytes).padStart(12)}`,
  )
  return { traces: [...traces.values()], table: lines.join('\n') }
}
