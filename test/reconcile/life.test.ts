import { describe, expect, test } from 'vitest'
import { finalizer } from '../../src/api/names.ts'
import { mysql } from '../api/fixtures.ts'
import { World } from './world.ts'

const key = 'team/shop'
const lifetime = 120

const secret = (name: string, password: string) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: 'team' },
  type: 'Opaque',
  data: { password: Buffer.from(password).toString('base64') },
})

/** Made while the webhook was off: no reference to a root password. */
const withoutRoot = () => {
  const { passwordSecretRef: _, ...spec } = mysql().spec
  return { ...mysql({ metadata: { finalizers: [finalizer] } }), spec } as never
}

interface Manner {
  crashAfter?: number
  /** The caches show what was true so many runs ago. */
  lag?: number
  /** The password before a change keeps working for so long. */
  graceSeconds?: number
  /** The operator's memory lasts from run to run. */
  remembers?: boolean
}

/** Runs until nothing has been written for a while: longer than the caches lag, and than a Job's report may take. */
const settle = async (world: World, { lag = 0 }: Manner) => {
  const enough = 4 + 2 * lag
  let quiet = 0
  for (let round = 0; round < lifetime && quiet < enough; round++) {
    const before = world.writes.length
    if (lag === 0 || round % (lag + 1) === 0) world.see()
    await world.run(key)
    world.tick()
    quiet = world.writes.length === before ? quiet + 1 : 0
  }
  expect(quiet, 'it goes on writing').toBe(enough)
}

/** Made, dumped on demand, its password changed, deleted, made again: the whole of it, with one crash somewhere. */
const life = async (manner: Manner): Promise<World> => {
  const world = new World()
  world.crashAfter = manner.crashAfter ?? Number.POSITIVE_INFINITY
  world.remembers = manner.remembers ?? false
  const passwordGraceSeconds = manner.graceSeconds ?? 0
  world.put(secret('first', 'one'))
  world.put(secret('second', 'two'))
  const make = (ref: string) => {
    const { uid: _, ...metadata } = mysql({ metadata: { finalizers: [finalizer] } }).metadata
    world.put({
      ...mysql({ spec: { passwordSecretRef: { name: ref, key: 'password' }, passwordGraceSeconds } }),
      metadata,
    } as never)
  }
  make('first')
  await settle(world, manner)
  expect(world.get('MySQL', 'shop')?.status?.message).toBe('Mysql created')

  const asked = world.get('MySQL', 'shop')
  const annotations = { ...asked?.metadata.annotations, 'backup.otus.homework/requestedAt': 'now' }
  world.put({ ...asked, metadata: { ...asked?.metadata, annotations } } as never)
  await settle(world, manner)
  expect(world.dumps).toEqual(['shop-0.sql.gz'])
  const { backup, lastHandledBackupAt } = world.get('MySQL', 'shop')?.status ?? {}
  expect([backup?.file, lastHandledBackupAt]).toEqual(['shop-0.sql.gz', 'now'])
  expect(backup?.verification).toMatchObject({ file: 'shop-0.sql.gz', result: 'Good' })
  expect(world.get('Job', 'verify-shop-job'), 'its volume goes with it').toBeUndefined()

  const live = world.get('MySQL', 'shop')
  world.put({
    ...live,
    spec: { ...live?.spec, passwordSecretRef: { name: 'second', key: 'password' } },
  } as never)
  const [database] = world.databases.values()
  const first = database?.passwords.root
  await settle(world, manner)
  if (passwordGraceSeconds > 0) {
    expect(database?.old.root, 'the password before works').toBe(first)
    world.pass(passwordGraceSeconds)
    await settle(world, manner)
  }
  expect(database?.old).toEqual({})
  const status = world.get('MySQL', 'shop')?.status
  expect(status?.credentials.root).not.toHaveProperty('oldPasswordUntil')
  expect(database?.passwords.root).toBe(status?.credentials.root.secretName)
  const hashes = [...world.objects.values()].filter(
    ({ type }) => type === 'otus.homework/mysql-password-hash',
  )
  expect(hashes.map(({ metadata }) => metadata.name)).toEqual([status?.credentials.root.secretName])

  world.remove(world.get('MySQL', 'shop') as never)
  await settle(world, manner)
  expect(world.dumps.length, 'a last dump was made').toBeGreaterThan(0)
  const left = [...world.objects.values()].map(({ kind, metadata }) => `${kind} ${metadata.name}`)
  expect(left.sort()).toEqual(['PersistentVolumeClaim backup-shop-pvc', 'Secret first', 'Secret second'])

  make('first')
  await settle(world, manner)
  expect(world.get('MySQL', 'shop')?.status?.message).toBe(`Mysql created from backup ${world.dumps.at(-1)}`)
  return world
}

describe('a whole life', { timeout: 600_000 }, () => {
  test('without a crash makes each dump, and each Job, once', async () => {
    const world = await life({})
    expect(world.dumps).toHaveLength(2)
    const jobs = world.writes.filter((write) => write.startsWith('create Job'))
    expect(jobs).toEqual([
      'create Job restore-shop-job',
      'create Job backup-shop-job',
      'create Job verify-shop-job',
      'create Job password-change-shop-job',
      'create Job backup-shop-job',
      'create Job restore-shop-job',
    ])
  })

  test.each([1, 2, 5])('ends the same with caches that lag %i runs behind', async (lag) => {
    const world = await life({ lag })
    expect(world.dumps).toHaveLength(2)
  })

  test('without a root password begins with a generated one', async () => {
    const world = new World()
    world.put(withoutRoot())
    await settle(world, {})
    expect(world.get('Secret', 'shop-root')?.type).toBe('otus.homework/mysql-password')
    const password = Buffer.from(world.get('Secret', 'shop-root')?.data.password, 'base64')
    expect(password).toHaveLength(31)
    expect(world.get('MySQL', 'shop')?.status?.message).toBe('Mysql created')
  })

  test('is made of what the API server has filled no defaults in, and says what is wrong where nothing was given', async () => {
    const { uid: _, ...metadata } = mysql({ metadata: { finalizers: [finalizer] } }).metadata
    const stored = async (spec: object) => {
      const world = new World()
      world.put({ ...mysql(), metadata, ...spec } as never)
      await settle(world, {})
      return world.get('MySQL', 'shop')?.status?.message
    }
    expect(await stored({ spec: { database: 'orders' } })).toBe('Mysql created')
    expect(await stored({ spec: {} })).toMatch(/^spec\.database is required/)
    expect(await stored({ spec: undefined })).toMatch(/^spec\.database is required/)
  })

  test('takes no Secret of somebody else for the generated password', async () => {
    const world = new World()
    world.put(secret('shop-root', 'not for you'))
    world.put(withoutRoot())
    await settle(world, {})
    expect(world.get('MySQL', 'shop')?.status?.message).toContain(
      'Secret shop-root was not made by the operator',
    )
    expect(world.writes).not.toContain('create Job restore-shop-job')
  })

  test('gets a new operator account, and a pod that knows it, when the Secret was lost and the operator dies on the way', async () => {
    for (let crashAfter = 1; crashAfter <= 4; crashAfter++) {
      const world = new World()
      world.put(withoutRoot())
      await settle(world, {})
      const old = world.get('Secret', 'shop-init')
      world.remove(world.get('Secret', 'shop-operator') as never)
      world.crashAfter = world.writes.length + crashAfter
      // Nothing tells of a Secret that went; the next look at the resource finds it.
      await settle(world, {})
      const init = world.get('Secret', 'shop-init')
      expect(init?.metadata.uid, `crash ${crashAfter}`).not.toBe(old?.metadata.uid)
      const template = world.get('StatefulSet', 'shop')?.spec.template
      expect(Object.values(template.metadata.annotations), `crash ${crashAfter}`).toContain(
        init?.metadata.uid,
      )
    }
  })

  test('gets an operator account of the newer plugin as soon as the image has it', async () => {
    const world = new World()
    const { uid: _, ...metadata } = mysql({ metadata: { finalizers: [finalizer] } }).metadata
    world.put(secret('first', 'one'))
    const make = (image: string) =>
      world.put({
        ...mysql({ spec: { image, passwordSecretRef: { name: 'first', key: 'password' } } }),
        metadata: world.get('MySQL', 'shop')?.metadata ?? metadata,
      } as never)
    const accountSql = () =>
      Buffer.from(world.get('Secret', 'shop-init')?.data?.['init.sql'] ?? '', 'base64').toString()
    make('mysql:5.7.44')
    await settle(world, {})
    expect(accountSql()).toContain("WITH 'mysql_native_password'")
    make('mysql:8.0.33')
    await settle(world, {})
    expect(accountSql()).toContain("WITH 'caching_sha2_password'")
    expect(accountSql()).not.toContain('mysql_native_password')
    const template = world.get('StatefulSet', 'shop')?.spec.template
    const { uid } = world.get('Secret', 'shop-init')?.metadata ?? {}
    expect(Object.values(template.metadata.annotations)).toContain(uid)
  })

  test('tells of a Job in its way that is not its own', async () => {
    const world = new World()
    world.put({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'restore-shop-job', namespace: 'team' },
      status: {},
    })
    world.put(withoutRoot())
    await settle(world, {})
    const degraded = world
      .get('MySQL', 'shop')
      ?.status?.conditions.find(({ type }: { type: string }) => type === 'Degraded')
    expect(degraded.reason).toBe('NameTaken')
    expect(degraded.message).toContain('restore-shop-job')
  })

  test('takes over what a resource of its name left behind when somebody cut its finalizer', async () => {
    const world = new World()
    world.put(withoutRoot())
    await settle(world, {})
    const first = world.get('MySQL', 'shop') as never as { metadata: object }
    world.remove({ ...first, metadata: { ...first.metadata, finalizers: [] } } as never)
    const again = { ...mysql({ metadata: { finalizers: [finalizer] } }) }
    world.put({
      ...again,
      metadata: { ...again.metadata, uid: '99999999-0000-4000-8000-000000000000' },
    } as never)
    await settle(world, {})
    expect(world.get('MySQL', 'shop')?.status?.message).toBe('Mysql created')
    world.remove(world.get('MySQL', 'shop') as never)
    await settle(world, {})
    expect(world.dumps).toHaveLength(1)
  })

  test('does not go while its claim is there without its label', async () => {
    const world = new World()
    world.put(withoutRoot())
    await settle(world, {})
    const claim = world.get('PersistentVolumeClaim', 'shop-pvc') as never as { metadata: { labels: object } }
    world.put({ ...claim, metadata: { ...claim.metadata, labels: {} } } as never)
    world.remove(world.get('MySQL', 'shop') as never)
    await settle(world, {})
    expect(world.get('PersistentVolumeClaim', 'shop-pvc')).toBeDefined()
    expect(world.get('MySQL', 'shop')?.status?.message).toContain('kubectl label pvc shop-pvc')
  })

  test('is dumped at its end with a new operator account, when the Secrets of the former one are lost', async () => {
    const world = new World()
    world.put(withoutRoot())
    await settle(world, {})
    for (const name of ['shop-operator', 'shop-init']) world.remove(world.get('Secret', name) as never)
    world.remove(world.get('MySQL', 'shop') as never)
    await settle(world, {})
    expect(world.dumps).toHaveLength(1)
    expect(world.get('MySQL', 'shop')).toBeUndefined()
  })

  test.each([1, 2])(
    'dumps by its schedule, once a time, with caches that lag %i runs behind',
    async (lag) => {
      const world = new World()
      world.put(withoutRoot())
      await settle(world, {})
      const live = world.get('MySQL', 'shop')
      const backup = { ...mysql().spec.backup, schedule: '* * * * *' }
      world.put({ ...live, spec: { ...live?.spec, backup } } as never)
      // Three minutes of its time.
      for (let round = 0; round < 60; round++) {
        if (round % lag === 0) world.see()
        await world.run(key)
        world.tick()
      }
      expect(world.dumps).toHaveLength(3)
      expect(world.get('MySQL', 'shop')?.status?.backup).toMatchObject({
        file: 'shop-2.sql.gz',
        nextRun: new Date(Math.ceil(world.now / 60_000) * 60_000).toISOString().replace('.000', ''),
      })
    },
  )

  test('says what it did when it was asked to run', async () => {
    const world = new World()
    world.put(withoutRoot())
    const asked = world.get('MySQL', 'shop') as never as { metadata: object }
    const annotations = { 'reconcile.otus.homework/requestedAt': '2026-01-02T03:04:05Z' }
    world.put({ ...asked, metadata: { ...asked.metadata, annotations } } as never)
    world.see()
    await world.run(key)
    const { lastRun, lastHandledReconcileAt } = world.get('MySQL', 'shop')?.status ?? {}
    expect(lastHandledReconcileAt).toBe('2026-01-02T03:04:05Z')
    expect(lastRun.did).toEqual(
      expect.arrayContaining(['created PersistentVolumeClaim shop-pvc', 'created StatefulSet shop']),
    )
    await settle(world, {})
    expect(world.get('MySQL', 'shop')?.status?.lastRun).toEqual(lastRun)
  })

  test('keeps no hash of a password that was overtaken', async () => {
    const world = new World()
    for (const name of ['one', 'two', 'three']) world.put(secret(name, name))
    const want = (name: string) => {
      const now = world.get('MySQL', 'shop') ?? (withoutRoot() as never as { spec: object })
      world.put({ ...now, spec: { ...now.spec, passwordSecretRef: { name, key: 'password' } } } as never)
    }
    want('one')
    await settle(world, {})
    want('two')
    world.see()
    await world.run(key)
    want('three')
    await settle(world, {})
    const hashes = [...world.objects.values()].filter(
      ({ type }) => type === 'otus.homework/mysql-password-hash',
    )
    expect(hashes.map(({ metadata }) => metadata.name)).toEqual([
      world.get('MySQL', 'shop')?.status?.credentials.root.secretName,
    ])
  })

  test('begins with nothing for a resource that only a stale cache knows', async () => {
    const world = new World()
    world.put(secret('shop-root', 'one'))
    const ghost = world.put(mysql({ metadata: { finalizers: [finalizer] } }) as never)
    world.see()
    world.remove({ ...ghost, metadata: { ...ghost.metadata, finalizers: [] } })
    await world.run(key)
    expect(world.writes).toEqual([])
  })

  test('ends the same when the operator dies after any one of its writes', async () => {
    const { writes } = await life({})
    for (let crashAfter = 1; crashAfter <= writes.length; crashAfter++) {
      const what = `crash ${crashAfter}, after: ${writes[crashAfter - 1]}`
      const world = await life({ crashAfter }).catch((error: unknown) => {
        throw new Error(what, { cause: error })
      })
      expect(world.dumps, what).toHaveLength(2)
    }
  })

  test('with a grace period takes one Job more and tells when it is over', async () => {
    const world = await life({ graceSeconds: 300 })
    const jobs = world.writes.filter((write) => write === 'create Job password-change-shop-job')
    expect(jobs).toHaveLength(2)
    expect(world.events.filter((reason) => reason === 'OldPasswordEnded')).toHaveLength(1)
  })

  test('ends the same in a process that remembers, and reads no Secret of its own again and again', async () => {
    const world = await life({ remembers: true })
    const own = [...world.reads].filter(([name]) => name.startsWith('shop-'))
    expect(own.filter(([, count]) => count > 6)).toEqual([])
  })

  test('ends the same when it dies, its caches lag behind, and passwords have a grace period', async () => {
    const manner = { lag: 2, graceSeconds: 300 }
    const { writes } = await life(manner)
    for (let crashAfter = 1; crashAfter <= writes.length; crashAfter += 3) {
      await life({ crashAfter, ...manner }).catch((error: unknown) => {
        throw new Error(`crash ${crashAfter}, after: ${writes[crashAfter - 1]}`, { cause: error })
      })
    }
  })
})
