import type { TypedResource } from '../api/resource.ts'

/** What happened to one object; `deleted` says that `object` is gone. */
export interface Change<T> {
  object: T
  previous: T | undefined
  deleted: boolean
}

const keyOf = ({ metadata }: TypedResource) => `${metadata.namespace ?? ''}/${metadata.name}`

/** The last known state of a selection of objects. Takes news in and answers with what they change. */
export class Cache<T extends TypedResource> {
  readonly #objects = new Map<string, T>()

  get(namespace: string | undefined, name: string): T | undefined {
    return this.#objects.get(`${namespace ?? ''}/${name}`)
  }

  list(): T[] {
    return [...this.#objects.values()]
  }

  get size() {
    return this.#objects.size
  }

  put(object: T): Change<T>[] {
    const key = keyOf(object)
    const previous = this.#objects.get(key)
    const [was, is] = [previous?.metadata, object.metadata]
    if (previous && was?.uid === is.uid && was?.resourceVersion === is.resourceVersion) return []
    this.#objects.set(key, object)
    if (!previous || was?.uid === is.uid) return [{ object, previous, deleted: false }]
    // The end of the old one and the beginning of this one were both missed.
    return [
      { object: previous, previous, deleted: true },
      { object, previous: undefined, deleted: false },
    ]
  }

  remove(object: T): Change<T>[] {
    const key = keyOf(object)
    const previous = this.#objects.get(key)
    if (!previous) return []
    this.#objects.delete(key)
    return [{ object, previous, deleted: true }]
  }

  /** Takes a whole list in: what is not on it is gone. */
  replace(objects: T[]): Change<T>[] {
    const listed = new Set(objects.map(keyOf))
    const gone = [...this.#objects].filter(([key]) => !listed.has(key)).map(([, object]) => object)
    return [
      ...gone.flatMap((object) => this.remove(object)),
      ...objects.flatMap((object) => this.put(object)),
    ]
  }
}
