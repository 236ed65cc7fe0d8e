import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, test } from 'vitest'
import { type Credential, verifyCredential } from '../../src/passwords/credential.ts'
import { createHasher, type Hasher, type HasherOptions } from '../../src/passwords/hasher.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const secret = Buffer.from('canary-Grüße')

const undo: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step()
})

function hasherWith(options?: HasherOptions): Hasher {
  const hasher = createHasher(options)
  undo.push(() => hasher.close())
  return hasher
}

function realWorker(): Worker {
  return new Worker(new URL('../../src/passwords/worker.ts', import.meta.url))
}

/** Workers that die at their first request, as many as said, then real ones. */
function dying(times: number): { startWorker: () => Worker; started: () => number } {
  let started = 0
  const startWorker = () => {
    started++
    return started <= times ? new Worker(new URL('./dyingWorker.ts', import.meta.url)) : realWorker()
  }
  return { startWorker, started: () => started }
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof Error)) throw new TypeError('expected a rejection with an Error')
  return error
}

describe('the hasher', () => {
  test('tells of each password that it hashes, and of nothing else', async () => {
    let hashed = 0
    const hasher = hasherWith({ onHash: () => hashed++ })
    const credential = await hasher.hash(secret, 'mysql_native_password')
    await hasher.verify(secret, credential)
    await failure(hasher.hash(Buffer.alloc(0), 'mysql_native_password'))
    expect(hashed).toBe(1)
  })

  test.each(['caching_sha2_password', 'mysql_native_password'] as const)(
    'hashes and verifies for %s',
    async (plugin) => {
      const hasher = hasherWith()
      const credential = await hasher.hash(secret, plugin)
      expect(credential.plugin).toBe(plugin)
      expect(verifyCredential(secret, credential)).toBe(true)
      expect(await hasher.verify(secret, credential)).toBe(true)
      expect(await hasher.verify(Buffer.from('another'), credential)).toBe(false)
      expect(await hasher.verify(Buffer.alloc(0), credential)).toBe(false)
    },
  )

  test('leaves the buffer to the caller, who may zero it at once', async () => {
    const password = Buffer.from(secret)
    const pending = hasherWith().hash(password, 'caching_sha2_password')
    expect(password).toEqual(secret)
    password.fill(0)
    expect(verifyCredential(secret, await pending)).toBe(true)
  })

  test('answers each of many requests with its own result', async () => {
    const hasher = hasherWith()
    const passwords = Array.from({ length: 12 }, (_, i) => Buffer.from(`password ${i}`))
    const credentials = await Promise.all(passwords.map((p) => hasher.hash(p, 'caching_sha2_password')))
    credentials.forEach((credential, i) => {
      expect(verifyCredential(passwords[i] as Buffer, credential)).toBe(true)
    })
  })

  test('refuses a password that MySQL would refuse, without quoting it', async () => {
    const error = await failure(hasherWith().hash(Buffer.from('canary\0'), 'caching_sha2_password'))
    expect(error).toBeInstanceOf(RangeError)
    expect(error.message).toContain('NUL')
    expect(error.message).not.toContain('canary')
  })

  test('takes a malformed credential for nobody’s', async () => {
    const broken: Credential = { plugin: 'caching_sha2_password', literal: '0x24' }
    expect(await hasherWith().verify(secret, broken)).toBe(false)
  })

  test('refuses what its queue has no room for, and serves again when there is room', async () => {
    const hasher = hasherWith({ maxPending: 2 })
    const served = [1, 2].map(() => hasher.hash(secret, 'caching_sha2_password'))
    const error = await failure(hasher.hash(secret, 'caching_sha2_password'))
    expect(error.message).toMatch(/^2 passwords wait .* try again/)
    await Promise.all(served)
    await expect(hasher.hash(secret, 'caching_sha2_password')).resolves.toBeDefined()
  })
})

describe('a worker that dies', () => {
  test('is replaced, and the request is made again', async () => {
    const { startWorker, started } = dying(1)
    const hasher = hasherWith({ startWorker })
    const credential = await hasher.hash(secret, 'caching_sha2_password')
    expect(verifyCredential(secret, credential)).toBe(true)
    expect(started()).toBe(2)
  })

  test('twice on a request fails that request alone, without quoting the password', async () => {
    const { startWorker, started } = dying(2)
    const hasher = hasherWith({ startWorker })
    const first = failure(hasher.hash(secret, 'caching_sha2_password'))
    const second = hasher.hash(secret, 'caching_sha2_password')
    const error = await first
    expect(error.message).toMatch(/ended with exit code 7, 2 times .* try again/)
    expect(error.message).not.toContain('canary')
    expect(verifyCredential(secret, await second)).toBe(true)
    expect(started()).toBe(3)
  })

  test('while idle is replaced at the next request', async () => {
    let last: Worker | undefined
    const startWorker = () => {
      last = realWorker()
      return last
    }
    const hasher = hasherWith({ startWorker })
    await hasher.hash(secret, 'caching_sha2_password')
    const first = last
    await first?.terminate()
    await expect(hasher.hash(secret, 'caching_sha2_password')).resolves.toBeDefined()
    expect(last).not.toBe(first)
  })

  test('with an uncaught error leaves that as the cause', async () => {
    const script =
      'require("node:worker_threads").parentPort.on("message", () => { throw new Error("broken") })'
    const hasher = hasherWith({ startWorker: () => new Worker(script, { eval: true }) })
    const error = await failure(hasher.hash(secret, 'caching_sha2_password'))
    expect(error.cause).toMatchObject({ message: 'broken' })
  })

  test('or cannot be started at all fails the request after two attempts', async () => {
    let attempts = 0
    const startWorker = () => {
      attempts++
      throw new Error('no threads')
    }
    const hasher = hasherWith({ startWorker })
    const error = await failure(hasher.hash(secret, 'caching_sha2_password'))
    expect(error.message).toMatch(/could not be started, 2 times .* try again/)
    expect(attempts).toBe(2)
  })
})

describe('closing', () => {
  test('rejects what is waiting, then whatever comes', async () => {
    const hasher = hasherWith()
    const waiting = [1, 2].map(() => failure(hasher.hash(secret, 'caching_sha2_password')))
    await hasher.close()
    for (const error of await Promise.all(waiting)) expect(error.message).toContain('closed')
    expect(
      (await failure(hasher.verify(secret, { plugin: 'mysql_native_password', literal: '' }))).message,
    ).toContain('closed')
    await hasher.close()
  })
})

describe('the worker', () => {
  test.each([
    ['a password that it hashes', 'canary'],
    ['a password that it refuses', 'canary\0'],
  ])('zeroes the memory of %s before it answers', async (_, text) => {
    const worker = realWorker()
    undo.push(async () => {
      await worker.terminate()
    })
    // Shared, so that what the worker does to its memory is seen here; the hasher's own is handed over.
    const password = new Uint8Array(new SharedArrayBuffer(text.length))
    password.set(Buffer.from(text))
    worker.postMessage({ task: 'hash', plugin: 'caching_sha2_password', password })
    const [reply] = await once(worker, 'message')
    expect(password).toEqual(new Uint8Array(text.length))
    expect(JSON.stringify(reply)).not.toContain('canary')
  })
})

/** Prints whether a hasher of the given module verifies what it hashed; ends by itself with the hasher left open. */
function program(module: string): string {
  return `
    import { createHasher } from ${JSON.stringify(module)}
    const hasher = createHasher()
    const credential = await hasher.hash(Buffer.from('secret'), 'caching_sha2_password')
    console.log(credential.literal.length, await hasher.verify(Buffer.from('secret'), credential))
  `
}

describe('the worker of its own process', () => {
  function temporaryDirectory(): string {
    const directory = mkdtempSync(join(tmpdir(), 'mysql-operator-passwords-'))
    undo.push(() => rmSync(directory, { recursive: true }))
    return directory
  }

  function run(directory: string, module: string): string {
    const script = join(directory, 'program.mjs')
    writeFileSync(script, program(module))
    return execFileSync(process.execPath, [script], { encoding: 'utf8', timeout: 30_000 })
  }

  test('is found beside the TypeScript source, and an idle one does not keep the process', () => {
    expect(run(temporaryDirectory(), join(root, 'src/passwords/hasher.ts'))).toBe('142 true\n')
  })

  test('is found beside the bundle, as in the image', { timeout: 60_000 }, () => {
    const directory = temporaryDirectory()
    // The names of `npm run build`: both entries end in the same folder.
    const entries = ['main=src/passwords/hasher.ts', 'worker=src/passwords/worker.ts']
    const flags = [
      '--bundle',
      '--platform=node',
      '--format=esm',
      `--outdir=${directory}`,
      '--log-level=warning',
    ]
    execFileSync(join(root, 'node_modules/.bin/esbuild'), [...entries, ...flags], {
      cwd: root,
      stdio: 'pipe',
    })
    writeFileSync(join(directory, 'package.json'), '{"type":"module"}')
    expect(run(directory, join(directory, 'main.js'))).toBe('142 true\n')
  })
})
