/**
 * What a body of JSON may be made of. Seven megabytes of brackets would take all memory when they are parsed, and seconds of
 * the only thread.
 */

/** A review of a MySQL has some hundred values; one full of annotations and managed fields some thousand. */
const mostValues = 100_000

/** The schema nests six deep, managed fields a little deeper. */
const deepest = 100

const [quote, backslash, comma, opening, brace, closing, endBrace] = [...'"\\,[{]}'].map((one) =>
  one.charCodeAt(0),
)

/** Index of the quote that ends the string that begins at `start`; behind the end if there is none. */
const endOfString = (text: string, start: number): number => {
  for (let index = start + 1; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code === quote) return index
    if (code === backslash) index++
  }
  return text.length
}

/**
 * True for JSON with more values, or nested deeper, than any review. It only counts, so that it is cheap for whatever it is
 * given; whether the text is JSON at all is for the parser to say.
 */
export const isTooComplex = (text: string): boolean => {
  let values = 0
  let depth = 0
  for (let index = 0; index < text.length && values <= mostValues && depth <= deepest; index++) {
    switch (text.charCodeAt(index)) {
      case quote:
        index = endOfString(text, index)
        break
      case comma:
        values++
        break
      case opening:
      case brace:
        values++
        depth++
        break
      case closing:
      case endBrace:
        depth--
    }
  }
  return values > mostValues || depth > deepest
}
