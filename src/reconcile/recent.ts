/** How long what was read is believed, in milliseconds. */
const believedMs = 60_000

/**
 * What was read of Secrets a moment ago: there is no watch on them, and reading them at every run would be most of all
 * requests. Only for what the operator itself makes and never changes; a Secret of a user's own is read each time.
 */
export class Recent<T> {
  readonly #seen = new Map<string, { value: T; at: number }>()

  get(key: string, now: Date): T | undefined {
    const found = this.#seen.get(key)
    return found && this.#isFresh(found.at, now) ? found.value : undefined
  }

  set(key: string, value: T, now: Date): void {
    // Away with what is not believed any more, or this would grow with every password that ever was.
    for (const [old, { at }] of this.#seen) if (!this.#isFresh(at, now)) this.#seen.delete(old)
    this.#seen.set(key, { value, at: now.getTime() })
  }

  delete(key: string): void {
    this.#seen.delete(key)
  }

  /** Not from the future either, should the clock have been set back. */
  #isFresh(at: number, now: Date): boolean {
    const age = now.getTime() - at
    return age >= 0 && age < believedMs
  }
}
