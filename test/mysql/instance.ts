import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { needsNativePassword } from '../../src/api/image.ts'
import type { MySQL } from '../../src/api/mysql.ts'
import { type Account, names } from '../../src/api/names.ts'
import { configMap } from '../../src/desired/configMap.ts'
import { type BackupJobInputs, backupJob } from '../../src/desired/jobs/backup.ts'
import type { JobManifest } from '../../src/desired/jobs/job.ts'
import { passwordJob } from '../../src/desired/jobs/password.ts'
import { restoreJob } from '../../src/desired/jobs/restore.ts'
import { verifyJob } from '../../src/desired/jobs/verify.ts'
import type { Container as ContainerSpec, PodSpec } from '../../src/desired/pod.ts'
import {
  credentialSecret,
  initSecret,
  operatorSecret,
  type SecretManifest,
} from '../../src/desired/secrets.ts'
import { podHost } from '../../src/desired/services.ts'
import { statefulSet } from '../../src/desired/statefulSet.ts'
import { createCredential } from '../../src/passwords/credential.ts'
import { mysql as aMySQL } from '../api/fixtures.ts'
import { Container, type Ended, filesFolder, until, type VolumeFolders, volumeFolder } from './container.ts'
import { mysqlImage, mysqlRootfs } from './image.ts'
import { Node } from './node.ts'

const plugin = needsNativePassword(mysqlImage) ? 'mysql_native_password' : 'caching_sha2_password'

/** One MySQL of ours without a cluster: its manifests' containers, run on folders in place of claims. */
export class Instance {
  mysql: MySQL
  claimUid: string = randomUUID()
  readonly folder = mkdtempSync(join(tmpdir(), 'mysql-operator-test-'))
  readonly #node: Node
  readonly #rootfs: string
  readonly #secrets = new Map<string, SecretManifest>()
  #server: Container | undefined
  #operatorPassword = ''

  private constructor(mysql: MySQL, node: Node, rootfs: string) {
    this.mysql = mysql
    this.#node = node
    this.#rootfs = rootfs
    this.newOperatorPassword('operator-password-of-this-test')
    this.setPassword('root', 'root-password')
    this.setPassword('user', 'user-password')
  }

  static async create(spec: Partial<MySQL['spec']> = {}): Promise<Instance> {
    return new Instance(
      aMySQL({ spec: { image: mysqlImage, ...spec } }),
      await Node.start(),
      await mysqlRootfs(),
    )
  }

  /** The folder that stands for a claim. */
  claim(name: string): string {
    return volumeFolder(join(this.folder, 'claims', name))
  }

  get data(): string {
    return this.claim(names.data(this.mysql.metadata.name))
  }

  get backups(): string {
    return this.claim(names.backups(this.mysql.metadata.name))
  }

  newOperatorPassword(password: string): void {
    this.#operatorPassword = password
    this.#keep(operatorSecret(this.mysql, password))
    this.#keep(initSecret(this.mysql, createCredential(Buffer.from(password), plugin)))
  }

  /** Makes a Secret with the hash of a password for the next Job. */
  setPassword(account: Account, password: string): void {
    const name = this.#credentialName(account)
    this.#keep(credentialSecret(this.mysql, account, name, createCredential(Buffer.from(password), plugin)))
  }

  /** The same with a literal of the test's own making, right or wrong. */
  keepHash(account: Account, literal: string, withPlugin: string = plugin): void {
    const name = this.#credentialName(account)
    const secret = credentialSecret(this.mysql, account, name, createCredential(Buffer.from('any'), plugin))
    const data = { plugin: withPlugin, password: literal }
    const encoded = Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')])
    this.#keep({ ...secret, data: Object.fromEntries(encoded) })
  }

  /** Names of the Secrets with the wanted passwords. */
  get credentials() {
    return { root: this.#credentialName('root'), user: this.#credentialName('user') }
  }

  /** The container `initialise` of the database's pod; not awaited, so that it can be killed. */
  initialising(): Container {
    const { podSpec } = this
    return this.#container(podSpec, podSpec.initContainers?.[0])
  }

  initialise(): Promise<Ended> {
    return this.initialising().ended
  }

  /** Starts the server and waits until it answers, ready or not. */
  async start(): Promise<Container> {
    const { podSpec } = this
    const server = this.#container(podSpec, podSpec.containers[0])
    this.#server = server
    await until('the server to answer', async () => {
      if (server.hasEnded) throw new Error(`mysqld has ended:\n${server.output}`)
      return (await this.operatorQuery('SELECT 1')).code === 0
    })
    return server
  }

  /** A server with an empty, initialised claim that waits for its restore. */
  async startNew(): Promise<void> {
    const { code, stderr } = await this.initialise()
    if (code !== 0) throw new Error(`initialise failed: ${stderr}`)
    await this.start()
  }

  /** Back to a claim that waits for its restore and has no dumps, without the time that a new server takes. */
  async reset(): Promise<void> {
    await this.ask(`SET GLOBAL read_only = OFF; UPDATE mysql_operator.instance SET state = 'pending', restored_from = NULL;
      DROP USER IF EXISTS root@'%', '${this.mysql.spec.user}'@'%', x, app; ALTER USER root@localhost ACCOUNT LOCK`)
    rmSync(this.backups, { recursive: true, force: true })
    this.setPassword('root', 'root-password')
    this.setPassword('user', 'user-password')
  }

  get server(): Container {
    if (this.#server === undefined) throw new Error('start the server first')
    return this.#server
  }

  /** The readiness probe's answer. */
  async ready(): Promise<boolean> {
    const [container] = this.podSpec.containers
    return (await this.server.exec(container?.readinessProbe?.exec?.command ?? [])).code === 0
  }

  restoring(inputs: { from?: string; user?: boolean } = {}): Container {
    const { from = 'latest', user = true } = inputs
    const mysql = { ...this.mysql, spec: { ...this.mysql.spec, restore: { from } } }
    const { root } = this.credentials
    return this.job(restoreJob(mysql, { claimUid: this.claimUid, ...(user ? this.credentials : { root }) }))
  }

  restore(inputs: { from?: string; user?: boolean } = {}): Promise<Ended> {
    return this.restoring(inputs).ended
  }

  backingUp(cause: BackupJobInputs['cause'] = 'last'): Container {
    return this.job(backupJob(this.mysql, { claimUid: this.claimUid, cause }))
  }

  backup(cause?: BackupJobInputs['cause']): Promise<Ended> {
    return this.backingUp(cause).ended
  }

  /** The verify Job's pod, with shell before the script. */
  verifying(dump: string, before = ''): Container {
    const command = (script: string[] = []) => ['bash', '-c', `${before} exec ${script.join(' ')}`]
    const job = verifyJob(this.mysql, { dump })
    return this.job(job, (spec) => ({ ...spec, command: command(spec.command) }))
  }

  verify(dump = 'latest'): Promise<Ended> {
    return this.verifying(dump).ended
  }

  passwordChange(...accounts: Account[]): Promise<Ended> {
    return this.job(this.passwordJob({}, ...accounts)).ended
  }

  passwordJob(work: { keepOld?: Account[]; onlyCompare?: boolean }, ...accounts: Account[]): JobManifest {
    const credentials = Object.fromEntries(
      accounts.map((account) => [account, this.#credentialName(account)] as const),
    )
    const { keepOld = [], onlyCompare = false } = work
    return passwordJob(this.mysql, { claimUid: this.claimUid, credentials, keepOld, onlyCompare })
  }

  /** Runs a Job's pod once. */
  job({ spec }: JobManifest, change: (spec: ContainerSpec) => ContainerSpec = (same) => same): Container {
    const podSpec = spec?.template.spec
    const [container] = podSpec?.containers ?? []
    if (!podSpec || !container) throw new Error('the Job has no container')
    return this.#container(podSpec, change(container))
  }

  /** A shell line in place of the backup Job's script. */
  shell(line: string): Container {
    const job = backupJob(this.mysql, { claimUid: this.claimUid, cause: 'last' })
    return this.job(job, (spec) => ({ ...spec, command: ['bash', '-c', line] }))
  }

  /** SQL over the socket; the answer is without headings. */
  query(sql: string, user: string, password: string, options: string[] = []) {
    const client = ['mysql', '--batch', '--raw', '--skip-column-names', '--socket=/run/mysqld/mysqld.sock']
    return this.server.exec(
      [
        'env',
        `MYSQL_PWD=${password}`,
        ...client,
        `--user=${user}`,
        '--default-character-set=utf8mb4',
        ...options,
      ],
      sql,
    )
  }

  operatorQuery(sql: string) {
    return this.query(sql, 'mysql_operator', this.#operatorPassword)
  }

  /** The trimmed answer to the operator's account; throws what the server said against it. */
  async ask(sql: string): Promise<string> {
    const { code, stdout, stderr } = await this.operatorQuery(sql)
    if (code !== 0) throw new Error(stderr)
    return stdout.trim()
  }

  /** May this account log in over TCP and TLS with this password? */
  async mayLogIn(user: string, password: string): Promise<boolean> {
    const options = ['--protocol=TCP', '--host=127.0.0.1', '--ssl-mode=REQUIRED']
    return (await this.query('SELECT 1', user, password, options)).code === 0
  }

  /** The command line that runs a command of this machine in the server's network. */
  inside(command: string[]): string[] {
    return this.#node.inside(command)
  }

  async stopServer(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    await this.#server?.stop(signal)
    this.#server = undefined
  }

  /** A new, empty claim in place of the old one, as after deleting and making the resource again. */
  async loseData(): Promise<void> {
    await this.stopServer()
    rmSync(this.data, { recursive: true, force: true })
    this.claimUid = randomUUID()
  }

  async remove(): Promise<void> {
    await this.stopServer('SIGKILL')
    await this.#node.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }

  get podSpec(): PodSpec {
    const { spec } = statefulSet(this.mysql, { claimUid: this.claimUid, accountUid: 'one' })
    if (!spec?.template.spec) throw new Error('the StatefulSet has no pod')
    return spec.template.spec
  }

  #container(podSpec: PodSpec, spec: ContainerSpec | undefined): Container {
    if (!spec) throw new Error('the pod has no such container')
    const folder = mkdtempSync(join(this.folder, 'pod-'))
    return new Container({
      node: this.#node,
      rootfs: this.#rootfs,
      folder,
      spec,
      volumes: this.#volumes(podSpec, folder),
      podUid: randomUUID(),
      hosts: [podHost(this.mysql)],
    })
  }

  #volumes(podSpec: PodSpec, folder: string): VolumeFolders {
    return Object.fromEntries(
      (podSpec.volumes ?? []).map(({ name, persistentVolumeClaim, secret, configMap: map }) => {
        const path = join(folder, 'volumes', name)
        if (persistentVolumeClaim) return [name, this.claim(persistentVolumeClaim.claimName)]
        if (secret) return [name, filesFolder(path, this.#secretFiles(secret.secretName ?? ''))]
        if (map) return [name, filesFolder(path, configMap(this.mysql).data ?? {})]
        return [name, volumeFolder(path)]
      }),
    )
  }

  #secretFiles(name: string): Record<string, Buffer> {
    const data = this.#secrets.get(name)?.data ?? {}
    return Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text, 'base64')]))
  }

  #keep(secret: SecretManifest) {
    this.#secrets.set(secret.metadata.name, secret)
  }

  #credentialName(account: Account) {
    return names.credential(this.mysql.metadata.name, account, 'test')
  }
}
