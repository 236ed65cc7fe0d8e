/** Dumps are restored into throw-away servers to prove them; one that turns out bad is never restored in earnest. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  closeSpace,
  condition,
  eventually,
  gone,
  openSpace,
  query,
  ready,
  type Space,
  theCluster,
  uniquePassword,
} from './support.ts'
import { onVolume } from './volume.ts'

const root = { user: 'root', password: uniquePassword() }
const spec = (backup: object) => ({ database: 'shop', password: root.password, backup })

let place: Space
let full: Space
beforeAll(async () => {
  const cluster = await theCluster()
  place = await openSpace(cluster, 'proof')
  full = await openSpace(cluster, 'proof-full')
})
afterAll(async () => {
  await closeSpace(place)
  await closeSpace(full)
})

/** Asks for a dump and waits until there is another one than before; answers its name without endings. */
const dump = async (at: Space, name: string): Promise<string> => {
  const before = (await at.get(name))?.status?.backup?.file
  const request = `backup.otus.homework/requestedAt=${new Date().toISOString()}`
  await at.kubectl('annotate', 'mysql', name, '--overwrite', request)
  const file = await eventually(
    `${name} is dumped`,
    async () => {
      const now = (await at.get(name))?.status?.backup?.file
      return now !== before && now
    },
    180,
  )
  return file.replace('.sql.gz', '')
}

const verifyEvery = (n: number) =>
  place.kubectl(
    'patch',
    'mysql',
    'shop',
    '--type=merge',
    '-p',
    JSON.stringify({ spec: { backup: { verifyEvery: n } } }),
  )

const claims = async (at: Space) =>
  (await at.kubectl('get', 'pvc', '-o', 'jsonpath={.items[*].metadata.name}')).split(' ').sort()

const events = (reason: string) =>
  place.kubectl(
    ...['get', 'events', '--field-selector', `involvedObject.name=shop,reason=${reason}`],
    ...['-o', 'jsonpath={range .items[*]}{.note}{.message}{"\\n"}{end}'],
  )

const messageOf = (found: Awaited<ReturnType<typeof condition>>) =>
  found.status?.conditions?.find(({ type }) => type === 'BackupVerified')?.message

test.concurrent('A good dump is proven; a damaged one is found out, kept, and not restored: the one before is', async () => {
  await place.apply('shop', spec({ verifyEvery: 1 }))
  await ready(place, 'shop')
  await query(place, 'shop', root, 'CREATE TABLE shop.t (id INT); INSERT INTO shop.t VALUES (1)')
  const good = await dump(place, 'shop')
  const proven = await condition(place, 'shop', 'BackupVerified', 'True', 'Verified')
  expect(messageOf(proven)).toMatch(
    new RegExp(`^${good}\\.sql\\.gz was restored into a throw-away server, .*: 1 tables`),
  )
  expect(proven.status?.backup).toMatchObject({
    verifiedAt: expect.any(String),
    verification: { file: `${good}.sql.gz`, result: 'Good' },
  })
  expect(await events('BackupVerified')).toContain(good)
  await eventually('the throw-away volume is gone', async () => {
    expect(await claims(place)).toEqual(['backup-shop-pvc', 'shop-pvc'])
    return true
  })

  await verifyEvery(0)
  await query(place, 'shop', root, 'INSERT INTO shop.t VALUES (2)')
  const bad = await dump(place, 'shop')
  const flip = `byte=$(od -An -tu1 -j 99 -N 1 ${bad}.sql.gz); printf "\\\\x$(printf %x $((byte ^ 1)))" |
    dd of=${bad}.sql.gz bs=1 seek=99 conv=notrunc status=none; stat -c %s ${bad}.sql.gz; sha256sum ${bad}.sql.gz`
  const damaged = await onVolume(place, 'backup-shop-pvc', flip)
  await verifyEvery(1)
  const found = await condition(place, 'shop', 'BackupVerified', 'False', 'Bad')
  expect(messageOf(found)).toContain(`${bad}.sql.gz is bad: its sha256 is not the one in its .json`)
  expect(found.status?.backup?.verification).toMatchObject({ file: `${bad}.sql.gz`, result: 'Bad' })
  expect(found.status?.backup?.verifiedAt).toBe(proven.status?.backup?.verifiedAt)
  expect(await events('BackupBad')).toContain(bad)
  const look = `ls ${bad}.*; stat -c %s ${bad}.sql.gz; sha256sum ${bad}.sql.gz`
  expect(await onVolume(place, 'backup-shop-pvc', look)).toBe(`${bad}.bad\n${bad}.sql.gz\n${damaged}`)

  await place.kubectl('patch', 'mysql', 'shop', '--type=merge', '-p', '{"spec":{"deletionPolicy":"Delete"}}')
  await place.kubectl('delete', 'mysql', 'shop', '--wait=false')
  await gone(place, 'shop')
  await place.apply('shop', spec({}))
  const { status } = await ready(place, 'shop')
  expect(status?.restoredFrom).toBe(`${good}.sql.gz`)
  expect(await query(place, 'shop', root, 'SELECT id FROM shop.t')).toBe('1')
})

test.concurrent('A verification that finds no room says nothing against the dump, and holds up neither dumps nor the deletion', async () => {
  const hard = { spec: { hard: { persistentvolumeclaims: '2' } } }
  await full.cluster.apply({
    ...{ apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'two', namespace: full.namespace } },
    ...hard,
  })
  await full.apply('crowded', spec({ verifyEvery: 1 }))
  await ready(full, 'crowded')
  await dump(full, 'crowded')
  const waiting = await condition(full, 'crowded', 'BackupVerified', 'Unknown', 'Waiting')
  expect(messageOf(waiting)).toContain('has not started: ')
  const next = await dump(full, 'crowded')
  await eventually('the verification of the next one', async () => {
    const path = 'jsonpath={.metadata.annotations.otus\\.homework/verifies}'
    const { stdout } = await full.attempt('get', 'job', 'verify-crowded-job', '-o', path)
    return stdout === `${next}.sql.gz`
  })
  await full.kubectl('delete', 'mysql', 'crowded', '--wait=false')
  await gone(full, 'crowded')
  expect(await claims(full)).toEqual(['backup-crowded-pvc'])
  expect(await onVolume(full, 'backup-crowded-pvc', 'ls *.json | wc -l; ls *.bad | wc -l')).toBe('3\n0\n')
})
