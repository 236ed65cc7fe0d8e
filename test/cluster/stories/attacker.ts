/** Somebody who may write MySQLs in a namespace and nothing else. */
import { expect } from 'vitest'
import type { Result } from '../processes.ts'
import { mysql, type Space, type Written } from './support.ts'

export interface Attacker {
  /** kubectl with these rights; `object` goes in on standard input. It may fail. */
  run(args: string[], object?: object): Promise<Result>
  apply(object: object, ...options: string[]): Promise<Result>
  /** A merge patch of a MySQL. */
  patch(name: string, body: object): Promise<Result>
  /** A MySQL of the attacker, which needs no server: no node takes it. */
  evil(spec: Record<string, unknown>, metadata?: object, name?: string): object
}

/** Makes the service account `writer` with the right to write MySQLs. */
export const letIn = async ({ cluster, kubectl, namespace }: Space): Promise<Attacker> => {
  await kubectl('create', 'serviceaccount', 'writer')
  const verbs = '--verb=get,list,watch,create,update,patch,delete'
  await kubectl('create', 'role', 'databases', verbs, '--resource=mysqls.otus.homework')
  const subject = `--serviceaccount=${namespace}:writer`
  await kubectl('create', 'rolebinding', 'databases', '--role=databases', subject)
  const as = ['-n', namespace, `--as=system:serviceaccount:${namespace}:writer`]
  const run = (args: string[], object?: object) =>
    cluster.run('kubectl', [...args, ...as], {
      allowFailure: true,
      ...(object === undefined ? {} : { input: JSON.stringify(object) }),
    })
  return {
    run,
    apply: (object, ...options) => run(['apply', ...options, '-f', '-'], object),
    patch: (name, body) => run(['patch', 'mysql', name, '--type=merge', '-p', JSON.stringify(body)]),
    evil: (spec, metadata = {}, name = 'evil') => {
      const nodeSelector = { 'example.com/nowhere': 'true' }
      const object = mysql(namespace, name, { database: 'evil', nodeSelector, ...spec } as Written)
      return { ...object, metadata: { ...object.metadata, ...metadata } }
    },
  }
}

/** Each name is refused, in the same words when the name itself is taken out of them, and without the password. */
export const sameFor = async (
  password: string,
  names: string[],
  attempt: (name: string) => Promise<Result>,
): Promise<string> => {
  const said: string[] = []
  for (const name of names) {
    const { code, stderr } = await attempt(name)
    expect(code, stderr).not.toBe(0)
    expect(stderr).not.toContain(password)
    said.push(stderr.replaceAll(name, 'NAME'))
  }
  expect(new Set(said).size, said.join('\n')).toBe(1)
  return said[0] ?? ''
}
