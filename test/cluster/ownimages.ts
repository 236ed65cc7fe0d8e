import { type Archive, fullReference } from './images.ts'
import { mysql80Archive, mysql80Image } from './mysql80image.ts'
import { mysqlArchive, mysqlImage } from './mysqlimage.ts'
import { operatorArchive, operatorImage } from './operatorimage.ts'
import type { Log } from './progress.ts'

const makers: Record<string, (log: Log) => Promise<Archive>> = {
  [operatorImage]: operatorArchive,
  [mysqlImage]: mysqlArchive,
  [mysql80Image]: mysql80Archive,
}

/** An image that the project makes itself, made first if need be; undefined for any other name. */
export async function ownArchive(image: string, log: Log): Promise<Archive | undefined> {
  return makers[fullReference(image)]?.(log)
}
