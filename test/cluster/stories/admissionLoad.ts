/**
 * Run by itself in the cluster's network: `node admissionLoad.ts NAMESPACE RATE` creates MySQLs as a dry run, RATE a second,
 * until its standard input ends. Each passes both webhooks, and nothing is stored. Prints a line of JSON for each answer.
 */
import { request } from 'undici'
import { apiVersion, finalizer } from '../../../src/api/names.ts'
import { type Connection, connect } from '../../../src/kube/config.ts'
import { pace } from './pace.ts'

/** One admission that was asked for. */
export interface Admission {
  /** When the request was sent and when its answer was there, in milliseconds since 1970. */
  sent: number
  answered: number
  /** What went wrong; not there if the object was admitted. */
  failure?: string
}

/** Under way at the same time; the next one waits, so that a slow machine has less to do and not a longer queue. */
const mostAtOnce = 8

/** What went wrong, or undefined. */
const admit = async (
  connection: Connection,
  namespace: string,
  name: string,
): Promise<string | undefined> => {
  const { dispatcher, server } = connection
  const { statusCode, body } = await request(
    `${server}/apis/${apiVersion}/namespaces/${namespace}/mysqls?dryRun=All`,
    {
      dispatcher,
      method: 'POST',
      headers: { ...(await connection.headers()), 'content-type': 'application/json' },
      body: JSON.stringify({ apiVersion, kind: 'MySQL', metadata: { name }, spec: { database: 'shop' } }),
    },
  )
  const text = await body.text()
  if (statusCode !== 201) return `${statusCode} ${/"message":"(.*?[^\\])"/.exec(text)?.[1] ?? text}`
  // Only the webhook adds it: so that was asked, and not passed over.
  return text.includes(finalizer) ? undefined : 'admitted without the webhook'
}

const measured = async (task: Promise<string | undefined>): Promise<Admission> => {
  const sent = Date.now()
  const failure = await task.catch(String)
  return { sent, answered: Date.now(), ...(failure === undefined ? {} : { failure }) }
}

const [namespace = '', rate = ''] = process.argv.slice(2)
const connection = await connect()
const underWay = new Set<Promise<void>>()
const ended = new Promise((resolve) => process.stdin.resume().once('end', resolve)).then(() => true)
const next = pace()
for (let count = 0; ; count++) {
  if (await Promise.race([ended, next(1000 / Number(rate))])) break
  if (underWay.size >= mostAtOnce) await Promise.race(underWay)
  const one = measured(admit(connection, namespace, `load-${count}`)).then((admission) => {
    underWay.delete(one)
    console.log(JSON.stringify(admission))
  })
  underWay.add(one)
}
await Promise.all(underWay)
await connection.close()
