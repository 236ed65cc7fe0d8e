/**
 * The first operator cut off its only dump before it had written the next one, and deleted the data whether there was a
 * dump or not. Here last dumps fail for real: one is killed half way, others find their volume full.
 */
import { globSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, expect, inject, test } from 'vitest'
import type { MySQL } from '../../../src/api/mysql.ts'
import { bulk, heap } from './bulk.ts'
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
import { fillVolume, onVolume, volumeFolder } from './volume.ts'

const root = { user: 'root', password: uniquePassword() }
const spec = { database: 'shop', password: root.password }

// Only in a cluster of this machine can a disk be made full, and a process be stopped.
const foreign = inject('cluster').context !== undefined

let place: Space
beforeAll(async () => {
  place = await openSpace(await theCluster(), 'backups')
  return () => closeSpace(place)
})

/** What bash in the server's own container prints. */
const inServer = (name: string, script: string) =>
  place.kubectl('exec', `${name}-0`, '-c', 'mysql', '--', 'bash', '-c', script)

/** The first operator's line, but for the file's place: the dump goes straight into the file that holds the last one. */
const oldDump = (prefix = '') =>
  `${prefix} mysqldump --defaults-file=/etc/mysql-operator/client/client.cnf --protocol=SOCKET shop > /tmp/dump.sql; tail -n 1 /tmp/dump.sql`

/** The newest running pod of the Job that makes the last dump. */
const backupPod = (name: string, other = '') =>
  eventually(`a backup of ${name} runs`, async () => {
    const path = 'jsonpath={range .items[?(@.status.phase=="Running")]}{.metadata.name}{"\\n"}{end}'
    const pods = await place.kubectl('get', 'pods', '-l', `job-name=backup-${name}-job`, '-o', path)
    return pods.split('\n').find((pod) => pod !== '' && pod !== other)
  })

const partialSize = (folder: string): number => {
  const partial = readdirSync(folder).find((file) => file.endsWith('.partial'))
  return partial === undefined ? 0 : statSync(join(folder, partial)).size
}

const dumperOf = (name: string) =>
  globSync('/proc/[0-9]*/cmdline').find((file) => {
    try {
      return readFileSync(file, 'utf8').startsWith(
        `mysqldump\0--defaults-file=/etc/mysql-operator/client/client.cnf\0--host=${name}-0.`,
      )
    } catch {
      return false
    }
  })

/** Stops mysqldump itself as soon as a megabyte of its dump is written: it stays half way, however fast the machine is. */
const stopHalfWay = async (name: string) => {
  const folder = volumeFolder(place, `backup-${name}-pvc`)
  const deadline = Date.now() + 180_000
  while (partialSize(folder) < 1_000_000) {
    if (Date.now() > deadline) throw new Error(`no dump of ${name} has begun`)
    await sleep(10)
  }
  const dumper = dumperOf(name)
  if (dumper === undefined) throw new Error(`the dump of ${name} was over before it could be stopped`)
  process.kill(Number(dumper.split('/')[2]), 'SIGSTOP')
}

test
  .skipIf(foreign)
  .concurrent(
    'A last dump that is killed half way leaves the one before whole, and is made again',
    async () => {
      const name = 'killed'
      await place.apply(name, spec)
      await ready(place, name)
      await query(place, name, root, 'CREATE TABLE shop.first (id INT); INSERT INTO shop.first VALUES (1)')
      await place.kubectl('delete', 'mysql', name, '--wait=false')
      await gone(place, name)
      await place.apply(name, spec)
      const { status } = await ready(place, name)
      const older = status?.restoredFrom ?? ''
      expect(older).toMatch(/^killed-\d{8}T\d{6}Z\.sql\.gz$/)
      await query(place, name, root, heap(3))
      expect(await inServer(name, oldDump())).toMatch(/^-- Dump completed/)

      expect(
        await inServer(name, oldDump('ulimit -f 1000;')),
        'the old line, killed at the first megabyte, has no dump any more',
      ).not.toContain('-- Dump completed')
      await place.kubectl('delete', 'mysql', name, '--wait=false')
      await stopHalfWay(name)
      const victim = await backupPod(name)
      const inBackups = async (pod: string, script: string) =>
        (
          await place.attempt('exec', pod, '--', 'bash', '-c', `cd /backup-${name}-pv && ${script}`)
        ).stdout.trim()
      const sum = await inBackups(victim, `sha256sum ${older}`)
      expect(sum).toMatch(/^[0-9a-f]{64} /)
      await place.kubectl('delete', 'pod', victim, '--grace-period=0', '--force')

      const next = await backupPod(name, victim)
      expect(await inBackups(next, `sha256sum ${older}`)).toBe(sum)
      expect(await inBackups(next, 'ls *.sql.gz')).toBe(older)
      expect(
        (await place.get(name))?.status?.conditions?.find(({ type }) => type === 'BackedUp')?.status,
      ).not.toBe('True')
      await gone(place, name)
      const claim = `backup-${name}-pvc`
      const newer = (await onVolume(place, claim, 'ls'))
        .split('\n')
        .filter((file) => file.endsWith('.gz') && file !== older)
      expect(newer).toHaveLength(1)
      expect(await onVolume(place, claim, `gzip -dc ${newer[0]} | tail -n 1; ls *.partial | wc -l`)).toMatch(
        /^-- Dump completed.*\n0\n$/,
      )

      await place.apply(name, { ...spec, restore: { from: older } })
      await ready(place, name)
      expect(await query(place, name, root, 'SHOW TABLES FROM shop')).toBe('first')
      expect(await query(place, name, root, 'SELECT id FROM shop.first')).toBe('1')
    },
  )

const blocked = (name: string) => condition(place, name, 'DeletionBlocked', 'True', 'BackupFailed', 180)
const conditionOf = ({ status }: MySQL, wanted: string) =>
  status?.conditions?.find(({ type }) => type === wanted)
const count = 'SELECT COUNT(*) FROM shop.bulk'

/** A MySQL with data whose deletion has been blocked by a full backup volume; answers how to repair that. */
const blockedMySQL = async (name: string) => {
  await place.apply(name, spec)
  await ready(place, name)
  await query(place, name, root, bulk)
  const repair = await fillVolume(place, `backup-${name}-pvc`)
  await place.kubectl('delete', 'mysql', name, '--wait=false')
  const found = await blocked(name)
  expect(found.metadata.deletionTimestamp).toBeDefined()
  expect(conditionOf(found, 'BackedUp')).toMatchObject({ status: 'False', reason: 'Failed' })
  expect(await query(place, name, root, count)).toBe('1800')
  return { repair, message: conditionOf(found, 'DeletionBlocked')?.message ?? '' }
}

test
  .skipIf(foreign)
  .concurrent(
    'A last dump that finds its volume full keeps resource and data until there is room, and is made then',
    async () => {
      const name = 'waits'
      const { repair, message } = await blockedMySQL(name)
      expect(message).toMatch(/is the backup volume full\?/)
      const reasons = [
        'get',
        'events',
        '--field-selector',
        `involvedObject.name=${name},reason=DeletionBlocked`,
      ]
      expect(await place.kubectl(...reasons, '-o', 'jsonpath={.items[0].note}{.items[0].message}')).toBe(
        message,
      )
      await repair()
      await gone(place, name, 180)
      const dump = 'gzip -dc *.sql.gz | grep -c "^INSERT INTO .bulk."; gzip -dc *.sql.gz | tail -n 1'
      expect(await onVolume(place, `backup-${name}-pvc`, dump)).toMatch(/^[1-9]\d*\n-- Dump completed/)
      expect(await place.kubectl('get', 'pvc', `${name}-pvc`, '--ignore-not-found')).toBe('')
    },
  )

test
  .skipIf(foreign)
  .concurrent(
    'A blocked deletion prints the command that lets the resource go and keeps the data, and that command works',
    async () => {
      const name = 'leaves'
      const { repair, message } = await blockedMySQL(name)
      const [retain = '', lose = ''] = message.match(/kubectl .*?'\{.*?\}'/g) ?? []
      expect(retain).toContain('"Retain"')
      expect(lose).toContain('"Delete"')
      await place.cluster.run('bash', ['-c', retain])
      await gone(place, name)
      await repair()
      expect(await onVolume(place, `backup-${name}-pvc`, 'ls')).toBe('')
      await place.apply(name, spec)
      await ready(place, name)
      expect(await query(place, name, root, count)).toBe('1800')
    },
  )
