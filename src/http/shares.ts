export interface Limits {
  inAll: number
  ofOneAddress: number
}

/** Somebody's part of what is limited. */
export interface Share {
  /** To be called when it is used: the one that was not for the longest time makes way first. */
  used: () => void
  /** Gives it back. */
  release: () => void
}

export interface Wanted {
  /** The address of who wants it. */
  from: string
  amount: number
  /** Whether it may be taken away now. */
  idle: () => boolean
  /** It was taken away. */
  end: () => void
}

/**
 * Shares out what strangers ask for too, so that none of them keeps the others out: who comes when nothing is left gets what
 * the address with the most has left idle for the longest time. Undefined when nothing is idle either.
 */
export const createShares = ({ inAll, ofOneAddress }: Limits): ((wanted: Wanted) => Share | undefined) => {
  /** The one that was used the longest time ago comes first. */
  const shares = new Set<Wanted>()
  const held = new Map<string, number>()
  let all = 0
  const of = (address: string) => held.get(address) ?? 0

  const count = ({ from, amount }: Wanted, sign: 1 | -1) => {
    all += sign * amount
    const now = of(from) + sign * amount
    if (now === 0) held.delete(from)
    else held.set(from, now)
  }
  const release = (share: Wanted) => {
    if (shares.delete(share)) count(share, -1)
  }
  const yielding = (only?: string): Wanted | undefined => {
    let found: Wanted | undefined
    for (const share of shares) {
      if (only !== undefined && share.from !== only) continue
      if ((found === undefined || of(share.from) > of(found.from)) && share.idle()) found = share
    }
    return found
  }
  const makesRoom = ({ from, amount }: Wanted): boolean => {
    while (of(from) + amount > ofOneAddress || all + amount > inAll) {
      const loser = yielding(of(from) + amount > ofOneAddress ? from : undefined)
      if (!loser) return false
      release(loser)
      loser.end()
    }
    return true
  }

  return (wanted) => {
    if (!makesRoom(wanted)) return undefined
    shares.add(wanted)
    count(wanted, 1)
    const used = () => {
      if (shares.delete(wanted)) shares.add(wanted)
    }
    return { used, release: () => release(wanted) }
  }
}
