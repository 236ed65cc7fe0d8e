/** What a suffix stands for, in billionths. */
const suffixes: Record<string, bigint> = {
  n: 1n,
  u: 10n ** 3n,
  m: 10n ** 6n,
  '': 10n ** 9n,
  k: 10n ** 12n,
  M: 10n ** 15n,
  G: 10n ** 18n,
  T: 10n ** 21n,
  P: 10n ** 24n,
  E: 10n ** 27n,
  Ki: 10n ** 9n * 2n ** 10n,
  Mi: 10n ** 9n * 2n ** 20n,
  Gi: 10n ** 9n * 2n ** 30n,
  Ti: 10n ** 9n * 2n ** 40n,
  Pi: 10n ** 9n * 2n ** 50n,
  Ei: 10n ** 9n * 2n ** 60n,
}

/** In characters. The API server would store any number of digits, and arithmetic on them takes longer and longer. */
export const longestQuantity = 64

/**
 * A Kubernetes quantity in thousandths, so that "500m" of a CPU is a whole number as well; undefined if it is none.
 * Fractions of a thousandth are rounded up, as Kubernetes does. Exponents ("1e3") are read too,
 * but none of three digits, and no text above `longestQuantity`: numbers of any length could be asked for.
 */
export const parseQuantity = (text: string): bigint | undefined => {
  if (text.length > longestQuantity) return undefined
  const match = /^([+-]?)(?=\.?\d)(\d*)(?:\.(\d*))?(?:([num]|k|[MGTPE]i?|Ki)|[eE]([+-]?\d{1,2}))?$/.exec(text)
  if (!match) return undefined
  const [, sign, whole = '', fraction = '', suffix = '', exponent = '0'] = match
  const power = Number(exponent)
  const digits = BigInt(whole + fraction)
  const numerator = digits * (suffixes[suffix] ?? 0n) * 10n ** BigInt(Math.max(power, 0))
  const denominator = 10n ** BigInt(6 + fraction.length + Math.max(-power, 0))
  const rounded = (numerator + denominator - 1n) / denominator
  return sign === '-' ? -rounded : rounded
}

/** Both as quantities: negative, zero or positive like a sort function; undefined if one is no quantity. */
export const compareQuantities = (a: string, b: string): number | undefined => {
  const [x, y] = [parseQuantity(a), parseQuantity(b)]
  if (x === undefined || y === undefined) return undefined
  return x < y ? -1 : x > y ? 1 : 0
}
