/**
 * Speaks with the inspector of a process in the same network namespace, on its loopback: puts what comes on standard input
 * into its heap, writes a heap snapshot into the file that is named, and closes the inspector again.
 */
import { createWriteStream, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const [file = ''] = process.argv.slice(2)
const control = readFileSync(0, 'utf8')

const address = async (): Promise<string> => {
  for (const end = Date.now() + 20_000; ; await sleep(100)) {
    try {
      const answer = await fetch('http://127.0.0.1:9229/json/list')
      const [target] = (await answer.json()) as { webSocketDebuggerUrl: string }[]
      if (target) return target.webSocketDebuggerUrl
    } catch (error) {
      if (Date.now() > end) throw error
    }
  }
}

const socket = new WebSocket(await address())
await new Promise((resolve, reject) => {
  socket.onopen = resolve
  socket.onerror = () => reject(new Error('the inspector does not answer'))
})

const out = createWriteStream(file)
const answers = new Map<number, (result: unknown) => void>()
socket.onmessage = ({ data }) => {
  const message = JSON.parse(String(data)) as { id?: number; method?: string; params?: { chunk: string } }
  if (message.method === 'HeapProfiler.addHeapSnapshotChunk') out.write(message.params?.chunk ?? '')
  if (message.id !== undefined) answers.get(message.id)?.(message)
}

let id = 0
const ask = (method: string, params: object = {}) =>
  new Promise((resolve) => {
    answers.set(++id, resolve)
    socket.send(JSON.stringify({ id, method, params }))
  })

const evaluate = (expression: string) => ask('Runtime.evaluate', { expression })

// Strings are cut off behind 1024 characters otherwise.
await evaluate(
  `process.getBuiltinModule('node:v8').setFlagsFromString('--heap-snapshot-string-limit=100000000')`,
)
await evaluate(`globalThis.control = ${JSON.stringify(control)}`)
await ask('HeapProfiler.takeHeapSnapshot')
await evaluate(`delete globalThis.control`)
// It waits for its clients to be gone.
await evaluate(`setTimeout(() => process.getBuiltinModule('node:inspector').close(), 500)`)
socket.close()
await new Promise((resolve) => out.end(resolve))
