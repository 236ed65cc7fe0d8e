/** The first lines of every page that is made and not written. */
export const generatedNote = '<!-- Made by `npm run generate`. Do not edit. -->'

const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ')

/** A table in Markdown. Cells may hold Markdown; a `|` in them is escaped. */
export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string => {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`
  return [line(head), `|${' --- |'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}

/** Text as code. */
export const code = (text: string): string => `\`${text}\``
