import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Client, createClient } from '../../src/kube/client.ts'
import { ApiError } from '../../src/kube/errors.ts'
import { ConfigMap, Secret } from '../../src/kube/kinds.ts'
import { type FakeServer, startFakeServer } from './fakeServer.ts'

const ref = { namespace: 'shop', name: 'one' }
const manifest = { apiVersion: 'v1', kind: 'ConfigMap', metadata: ref }
const any = () => true

let server: FakeServer
let client: Client
beforeEach(async () => {
  server = await startFakeServer()
  client = createClient(server.connection)
})
afterEach(() => server.stop())

const failure = async (promise: Promise<unknown>): Promise<ApiError> => {
  const error = await promise.then(
    () => undefined,
    (reason) => reason,
  )
  expect(error).toBeInstanceOf(ApiError)
  return error
}

describe('what errors say', () => {
  it('names the call, the reason and what the server says', async () => {
    const body = { kind: 'Status', code: 422, reason: 'Invalid', message: 'spec.x: must be y' }
    server.inject({ do: 'status', code: 422, body }, any)
    const error = await failure(client.create(ConfigMap, manifest))
    expect(error.message).toBe('create of ConfigMap shop/one failed: 422 Invalid: spec.x: must be y')
  })

  it('keeps nothing of an answer that is not a Status', async () => {
    server.inject({ do: 'status', code: 502, body: '<html>secret</html>' }, any)
    const error = await failure(client.create(ConfigMap, manifest))
    expect(error.message).toBe('create of ConfigMap shop/one failed: 502 Unknown')
  })

  it('never repeats a value of a Secret, whatever the server quotes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.stringMatching(/^[!-~]{12,40}$/),
        fc.constantFrom(400, 409, 422, 500),
        async (value, code) => {
          const causes = [
            { field: 'data.password', reason: 'FieldValueInvalid', message: `Invalid value: "${value}"` },
          ]
          const body = {
            kind: 'Status',
            code,
            reason: 'Invalid',
            message: `bad: ${value}`,
            details: { causes },
          }
          server.inject({ do: 'status', code, body }, any)
          const secret = { apiVersion: 'v1', kind: 'Secret', metadata: ref, data: { password: value } }
          const error = await failure(client.create(Secret, secret))
          expect(error.message).toContain('data.password FieldValueInvalid')
          expect(`${error.message} ${error.stack} ${JSON.stringify(error)} ${error.cause}`).not.toContain(
            value,
          )
        },
      ),
      { numRuns: 30 },
    )
  })
})
