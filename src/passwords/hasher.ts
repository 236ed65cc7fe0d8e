import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { AuthPlugin, Credential } from './credential.ts'
import { requireUsablePassword } from './policy.ts'
import type { HashReply, HashRequest } from './worker.ts'

/** Hashing that does not block the event loop: one worker thread, one request at a time, in order. */
export interface Hasher {
  /**
   * The credential of a password. Rejects with a RangeError for a password that MySQL would refuse and with an
   * Error when the queue is full, the worker died twice on it, or the hasher is closed.
   * The caller's buffer is copied at once and may be zeroed after the call; the copies are zeroed here.
   */
  hash(password: Buffer, plugin: AuthPlugin): Promise<Credential>
  /** Does the password belong to the credential? False for a malformed one. Copies and rejects like hash. */
  verify(password: Buffer, credential: Credential): Promise<boolean>
  /** Rejects what is waiting and ends the thread. */
  close(): Promise<void>
}

/** Everything here has a default; `startWorker` is for tests. */
export interface HasherOptions {
  /** How many requests may wait, the one at work included: 256 of 10 ms are within a webhook's time. */
  readonly maxPending?: number
  readonly startWorker?: () => Worker
  /** Called for each password that is about to be hashed. */
  readonly onHash?: () => void
}

/** The worker is started with the first request, and again when it has died. It keeps no idle process alive. */
export function createHasher(options: HasherOptions = {}): Hasher {
  return new WorkerHasher(options)
}

function startWorker(): Worker {
  // `.ts` under type stripping, `.js` once built: the same as this file's own.
  return new Worker(new URL(`./worker${extname(import.meta.url)}`, import.meta.url), {
    execArgv: [],
    env: {},
  })
}

const maxAttempts = 2

type Task =
  | { readonly task: 'hash'; readonly plugin: AuthPlugin }
  | { readonly task: 'verify'; readonly credential: Credential }

interface Job {
  readonly task: Task
  /** Kept for a second attempt, zeroed when the job is settled. */
  readonly password: Uint8Array<ArrayBuffer>
  readonly resolve: (result: Credential | boolean) => void
  readonly reject: (error: Error) => void
  attempts: number
}

class WorkerHasher implements Hasher {
  readonly #maxPending: number
  readonly #startWorker: () => Worker
  readonly #onHash: () => void
  /** The first one is at the worker whenever there is any. */
  readonly #jobs: Job[] = []
  #worker: Worker | undefined
  #closed = false

  constructor(options: HasherOptions) {
    this.#maxPending = options.maxPending ?? 256
    this.#startWorker = options.startWorker ?? startWorker
    this.#onHash = options.onHash ?? (() => undefined)
  }

  async hash(password: Buffer, plugin: AuthPlugin): Promise<Credential> {
    requireUsablePassword(password)
    this.#onHash()
    return (await this.#enqueue({ task: 'hash', plugin }, password)) as Credential
  }

  async verify(password: Buffer, credential: Credential): Promise<boolean> {
    return (await this.#enqueue({ task: 'verify', credential }, password)) as boolean
  }

  async close(): Promise<void> {
    this.#closed = true
    const worker = this.#worker
    this.#worker = undefined
    for (const job of this.#jobs.splice(0)) {
      job.password.fill(0)
      job.reject(closedError())
    }
    await worker?.terminate()
  }

  #enqueue(task: Task, password: Buffer): Promise<Credential | boolean> {
    if (this.#closed) return Promise.reject(closedError())
    if (this.#jobs.length >= this.#maxPending)
      return Promise.reject(
        new Error(`${this.#maxPending} passwords wait to be hashed already: try again later`),
      )
    return new Promise((resolve, reject) => {
      this.#jobs.push({ task, password: new Uint8Array(password), resolve, reject, attempts: 0 })
      if (this.#jobs.length === 1) this.#send()
    })
  }

  /** Gives the first job to the worker, starting one if need be; lets an idle worker not hold the process. */
  #send(): void {
    const [job] = this.#jobs
    if (job === undefined) {
      this.#worker?.unref()
      return
    }
    job.attempts++
    try {
      this.#hand(job)
    } catch (cause) {
      // No thread to be had, by a limit on processes for one.
      this.#lost('could not be started', cause)
    }
  }

  #hand(job: Job): void {
    const password = job.password.slice()
    const request: HashRequest = { ...job.task, password }
    this.#worker ??= this.#start()
    this.#worker.ref()
    this.#worker.postMessage(request, [password.buffer])
  }

  #start(): Worker {
    const worker = this.#startWorker()
    let cause: unknown
    worker.on('message', (reply: HashReply) => {
      if (worker === this.#worker) this.#settle(reply)
    })
    worker.on('error', (error) => {
      cause = error
    })
    worker.on('exit', (code) => {
      if (worker === this.#worker) this.#lost(`ended with exit code ${code}`, cause)
    })
    return worker
  }

  #settle(reply: HashReply): void {
    const job = this.#jobs.shift()
    job?.password.fill(0)
    if ('result' in reply) job?.resolve(reply.result)
    else job?.reject(new Error(reply.problem))
    this.#send()
  }

  /** The worker is gone. Its job, if any, gets a second chance with a new worker; the jobs behind it lose nothing. */
  #lost(how: string, cause: unknown): void {
    this.#worker = undefined
    const [job] = this.#jobs
    if (job === undefined) return
    if (job.attempts >= maxAttempts) {
      this.#jobs.shift()
      job.password.fill(0)
      const message = `the hashing worker ${how}, ${maxAttempts} times for the same password: try again`
      job.reject(new Error(message, { cause }))
    }
    this.#send()
  }
}

function closedError(): Error {
  return new Error('the hasher is closed: the operator is shutting down, try again')
}
