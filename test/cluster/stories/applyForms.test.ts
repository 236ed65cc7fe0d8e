/**
 * kubectl has many ways to write a resource. In each of them a password that is left out stays, one that is given is put in
 * force, the same one again changes nothing at all, and nothing that kubectl prints or shows has one in it.
 */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import type { RunOptions } from '../processes.ts'
import { passwordsHashed } from './metrics.ts'
import {
  closeSpace,
  condition,
  eventually,
  mysql,
  openSpace,
  ready,
  type Space,
  sql,
  theCluster,
  uniquePassword,
} from './support.ts'
import { searchFor } from './traces.ts'

const name = 'forms'
const folder = mkdtempSync(join(tmpdir(), 'mysql-operator-forms-'))

let place: Space
/** All passwords that were ever given. */
const passwords: Record<string, string> = {}
/** All that kubectl printed, and what it gave to an editor. */
const printed: string[] = []
/** In force. */
let root = ''
let user = ''

const newPassword = (): string => {
  const password = uniquePassword()
  passwords[`number ${Object.keys(passwords).length + 1}`] = password
  return password
}

const manifest = (changes: object) => mysql(place.namespace, name, { database: 'shop', ...changes })
const file = (changes: object = { password: root, user_password: user }) => JSON.stringify(manifest(changes))

const attempt = async (args: string[], options: RunOptions = {}) => {
  const result = await place.cluster.run('kubectl', ['-n', place.namespace, ...args], {
    ...options,
    allowFailure: true,
  })
  printed.push(result.stdout, result.stderr)
  return result
}

/** kubectl with what it is to write on its standard input, so that no command line has a password. */
const kubectl = async (args: string[], options?: RunOptions): Promise<string> => {
  const { code, stdout, stderr } = await attempt(args, options)
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')} ended with ${code}: ${stderr}`)
  return stdout
}

const get = async (...args: string[]) => JSON.parse(await kubectl(['get', ...args, '-o', 'json']))

/** Everything that must not change when nothing is changed. */
const state = async () => {
  const { metadata, spec } = await get('mysql', name)
  const secrets = await get('secrets')
  const pod = await get('pod', `${name}-0`)
  return {
    generation: metadata.generation as number,
    resourceVersion: metadata.resourceVersion as string,
    references: [spec.passwordSecretRef.name, spec.userPasswordSecretRef.name] as string[],
    secrets: secrets.items.map((secret: { metadata: { name: string } }) => secret.metadata.name) as string[],
    pod: [pod.metadata.uid, pod.status.containerStatuses[0].restartCount],
    hashed: await passwordsHashed(place.cluster),
  }
}

/** Nothing is under way any more. */
const settled = async () => {
  await ready(place, name)
  await condition(place, name, 'CredentialsReady', 'True')
  return eventually('nothing is written any more', async () => {
    const before = await state()
    // Of a password that went out of force the Secret goes last.
    return before.secrets.filter((secret) => /-(root|user)-/.test(secret)).length === 2 && before
  })
}

const works = (password: string) =>
  eventually('the new password works', async () => {
    const { code } = await sql(place, name, { user: 'root', password }, 'SELECT 1')
    return code === 0
  })

/** Writes in that way; nothing may come of it but what is said. */
const changesNothing = async (
  write: () => Promise<unknown>,
  but: (before: Awaited<ReturnType<typeof state>>) => object = () => ({}),
) => {
  const before = await settled()
  await write()
  expect(await state()).toEqual({ ...before, ...but(before) })
}

/** A dry run answers what would be stored, and for that has to hash. */
const withHashes =
  (count: number) =>
  ({ hashed }: { hashed: number }) => ({ hashed: hashed + count })

/** Another manager, or other finalizers and annotations, are written down. */
const metadataAlone = () => ({ resourceVersion: expect.any(String) })

/** Writes another root password in that way, which is in force afterwards, hashed once; the other account's stays. */
const changesRoot = async (write: (password: string) => Promise<unknown>) => {
  const before = await settled()
  const former = root
  root = newPassword()
  await write(root)
  await works(root)
  expect((await sql(place, name, { user: 'root', password: former }, 'SELECT 1')).stderr).toContain('denied')
  const after = await settled()
  expect(after).toMatchObject({
    generation: before.generation + 1,
    hashed: before.hashed + 1,
    pod: before.pod,
  })
  expect(after.references[0]).not.toBe(before.references[0])
  expect(after.references[1]).toBe(before.references[1])
}

const apply = (input = file(), ...more: string[]) => kubectl(['apply', '-f', '-', ...more], { input })
const serverSide = (input = file(), ...more: string[]) => apply(input, '--server-side', ...more)

describe.skipIf(inject('cluster').context !== undefined)('An inline password and', () => {
  beforeAll(async () => {
    place = await openSpace(await theCluster(), 'forms')
    root = newPassword()
    user = newPassword()
    await apply()
    await ready(place, name)
    return () => closeSpace(place)
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  test('kubectl apply: the same file changes nothing, another password is put in force', async () => {
    await changesNothing(async () => {
      await apply()
      await apply()
    })
    await changesRoot(() => apply())
    await changesNothing(() => apply(file({})))
  })

  test('kubectl diff: nothing for the same password, and no password for another one', async () => {
    await changesNothing(async () => {
      // 0: no difference, 1: some.
      expect((await attempt(['diff', '-f', '-'], { input: file() })).code).toBe(0)
      const other = file({ password: newPassword(), user_password: user })
      const { code, stdout } = await attempt(['diff', '-f', '-'], { input: other })
      expect(code).toBe(1)
      expect(stdout).toMatch(/^\+ +name: forms-root-[0-9a-f]{10}$/m)
      const { code: serverSide } = await attempt(['diff', '--server-side', '-f', '-'], { input: file() })
      // The manager that apply --server-side would be is written down.
      expect(serverSide).toBeLessThan(2)
    }, withHashes(1))
  })

  test('--dry-run=server: the answer is the true one, and nothing is stored', async () => {
    await changesNothing(async () => {
      const other = file({ password: newPassword(), user_password: user })
      expect(await apply(other, '--dry-run=server', '-o', 'yaml')).toMatch(/name: forms-root-[0-9a-f]{10}/)
      const another = mysql(place.namespace, 'another', { database: 'shop', password: newPassword() })
      const args = ['create', '--dry-run=server', '-o', 'yaml', '-f', '-']
      expect(await kubectl(args, { input: JSON.stringify(another) })).toContain('name: another-root-')
      expect(await kubectl(['get', 'mysql', 'another', '--ignore-not-found'])).toBe('')
    }, withHashes(2))
  })

  test('kubectl apply --server-side, after the other kind of apply and again, with force and without', async () => {
    await changesNothing(() => serverSide(), metadataAlone)
    await changesNothing(() => serverSide())
    await changesNothing(() => serverSide(file(), '--force-conflicts'))
    await changesRoot(() => serverSide())
    // A second tool with the same file, and then with another password: nobody owns it, so there is no conflict.
    await serverSide(file(), '--field-manager=second')
    await changesNothing(() => serverSide(file(), '--field-manager=second'))
    await changesRoot(() => serverSide(file(), '--field-manager=second'))
    await changesNothing(() => serverSide(file({}), '--field-manager=second'))
  })

  test('kubectl replace: a file without references and seals keeps or changes the password', async () => {
    const replace = (input: string) => kubectl(['replace', '-f', '-'], { input })
    await changesNothing(() => replace(file({})), metadataAlone)
    await changesNothing(() => replace(file()), metadataAlone)
    await changesRoot(() => replace(file()))
  })

  test('kubectl edit: the editor shows no password, and one that is added is put in force', async () => {
    const script = join(folder, 'editor')
    const shown = join(folder, 'shown')
    const editWith = async (change: string) => {
      writeFileSync(script, `#!/bin/sh\ncp "$1" ${shown}\nsed -i '${change}' "$1"\n`)
      chmodSync(script, 0o700)
      await kubectl(['edit', 'mysql', name], { env: { KUBE_EDITOR: script } })
      printed.push(readFileSync(shown, 'utf8'))
    }
    await changesRoot((password) => editWith(`s/^spec:$/spec:\\n  password: ${password}/`))
    expect(readFileSync(shown, 'utf8')).toContain('passwordSecretRef:')
    await changesNothing(() => editWith(`s/^spec:$/spec:\\n  password: ${root}/`))
  })

  test('kubectl patch: merge and json', async () => {
    const patch = (type: string, body: unknown) => {
      const path = join(folder, 'patch.json')
      writeFileSync(path, JSON.stringify(body))
      return kubectl(['patch', 'mysql', name, '--type', type, '--patch-file', path])
    }
    await changesRoot((password) => patch('merge', { spec: { password } }))
    await changesNothing(() => patch('merge', { spec: { password: root, user_password: user } }))
    await changesRoot((value) => patch('json', [{ op: 'add', path: '/spec/password', value }]))
    await changesNothing(() => patch('json', [{ op: 'add', path: '/spec/password', value: root }]))
  })

  test.each(['argocd-controller', 'kustomize-controller'])(
    'the dry run with which %s looks for differences finds none',
    async (manager) => {
      await changesNothing(async () => {
        const args = ['--force-conflicts', `--field-manager=${manager}`, '--dry-run=server', '-o', 'json']
        const predicted = JSON.parse(await serverSide(file(), ...args))
        const live = await get('mysql', name)
        for (const { metadata } of [predicted, live]) {
          delete metadata.managedFields
          delete metadata.resourceVersion
        }
        expect(predicted).toEqual(live)
      })
    },
  )

  test('kubectl get, and applying what it prints: nothing changes', async () => {
    const stored = await kubectl(['get', 'mysql', name, '-o', 'yaml', '--show-managed-fields'])
    const { metadata, ...rest } = await get('mysql', name)
    const { managedFields: _, ...kept } = metadata
    const again = JSON.stringify({ ...rest, metadata: kept })
    await changesNothing(() => serverSide(again, '--force-conflicts'), metadataAlone)
    expect(stored).toContain('otus.homework/sealed-root')
  })

  test('nothing of all that was printed or shown has a password in it', () => {
    expect(printed.length).toBeGreaterThan(100)
    expect(searchFor(passwords)('printed', printed.join('\n'))).toEqual([])
  })
})
