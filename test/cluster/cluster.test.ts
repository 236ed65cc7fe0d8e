import { type ChildProcess, spawn } from 'node:child_process'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { localCluster } from './access.ts'
import { type Cluster, down, mysqlImage, status, up } from './cluster.ts'
import { projectRoot, stateFolder } from './paths.ts'
import { exitCode, run, waitUntil } from './processes.ts'

const name = 'selftest'
const log = (line: string) => console.error(line)
const namespace = 'restricted'

/** Ids of processes one of whose files in /proc contains the text: seen from outside, not from our own books. */
function processesWith(file: 'cmdline' | 'cgroup', text: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/${file}`, 'utf8').includes(text)
      } catch {
        return false // it has ended meanwhile
      }
    })
}

function allProcesses(): number[] {
  return [
    ...processesWith('cmdline', stateFolder(name)),
    ...processesWith('cgroup', `mysql-operator-${name}`),
  ]
}

/** Ids of all processes that share a network, mount or PID namespace with one of these, and not with this process. */
function namespaceMembers(pids: number[]): number[] {
  const links = (pid: number | 'self') =>
    ['net', 'mnt', 'pid']
      .map((kind) => `/proc/${pid}/ns/${kind}`)
      .flatMap((file) => (existsSync(file) ? [readlinkSync(file)] : []))
  const own = links('self')
  const theirs = pids.flatMap(links).filter((link) => !own.includes(link))
  return processesWith('cmdline', '').filter((pid) => links(pid).some((link) => theirs.includes(link)))
}

function cli(...args: string[]): ChildProcess {
  return spawn(process.execPath, [join(import.meta.dirname, 'cli.ts'), ...args], { stdio: 'ignore' })
}

/** Starts a pod as strict as the operator's own, with a claim and a Service, in a namespace that allows no other. */
async function startProbe(cluster: Cluster): Promise<void> {
  await cluster.apply({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: namespace, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
  })
  await cluster.kubectl('wait', '-n', namespace, '--for=create', 'serviceaccount/default')
  await cluster.apply(probe())
  await cluster.kubectl('wait', '-n', namespace, 'pod/probe', '--for=condition=Ready', '--timeout=60s')
}

function probe(): object[] {
  return [
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'data', namespace },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'database', namespace },
      spec: { selector: { app: 'probe' }, ports: [{ port: 3306 }] },
    },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'probe', namespace, labels: { app: 'probe' } },
      spec: {
        terminationGracePeriodSeconds: 0,
        securityContext: {
          runAsNonRoot: true,
          runAsUser: 999,
          runAsGroup: 999,
          fsGroup: 999,
          seccompProfile: { type: 'RuntimeDefault' },
        },
        containers: [
          {
            name: 'mysql',
            image: mysqlImage,
            command: ['sleep', 'infinity'],
            securityContext: {
              allowPrivilegeEscalation: false,
              readOnlyRootFilesystem: true,
              capabilities: { drop: ['ALL'] },
            },
            volumeMounts: [{ name: 'data', mountPath: '/var/lib/mysql' }],
          },
        ],
        volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }],
      },
    },
  ]
}

describe('a cluster of this machine', () => {
  let cluster: Cluster
  const inPod = async (script: string) => {
    return (await cluster.kubectl('exec', '-n', namespace, 'probe', '--', 'bash', '-ec', script)).trim()
  }

  beforeAll(async () => {
    cluster = await up({ name, log, operator: false })
    await startProbe(cluster)
  })
  afterAll(() => down({ name, log }))

  it('has a Ready node and healthy components', async () => {
    const components = await status(name)
    expect(components.length).toBe(9)
    expect(components.filter(({ healthy }) => !healthy)).toEqual([])
    expect(await cluster.kubectl('get', 'nodes')).toContain(' Ready ')
  })

  it('gives a claim of the default StorageClass to uid 999 in a restricted namespace', async () => {
    expect(await inPod('id -u; touch /var/lib/mysql/file; stat -c "%u %g" /var/lib/mysql/file')).toBe(
      '999\n999 999',
    )
    expect(await inPod('mysqld --version')).toContain('Ver 9.7')
    expect(
      await cluster.kubectl('get', 'pvc', '-n', namespace, 'data', '-o=jsonpath={.spec.storageClassName}'),
    ).toBe('standard')
  })

  it('has everything on PATH in the MySQL image that the official image has', async () => {
    const commands =
      'mysqld mysql mysqldump mysqladmin bash gzip od sha256sum sync timeout head tail date stat find grep sed awk'
    expect(
      await inPod(`for command in ${commands}; do type -P $command >/dev/null || echo $command; done`),
    ).toBe('')
    expect(await inPod('test -d /var/lib/mysql-files && id -un')).toBe('mysql')
  })

  it('refuses a privileged pod in a restricted namespace', async () => {
    const args = ['run', 'root', '-n', namespace, `--image=${mysqlImage}`]
    const { code, stderr } = await cluster.run('kubectl', args, { allowFailure: true })
    expect(code).toBe(1)
    expect(stderr).toContain('violates PodSecurity "restricted')
  })

  it('resolves Services in pods, and nothing outside', async () => {
    const address = await cluster.kubectl(
      'get',
      'svc',
      '-n',
      namespace,
      'database',
      '-o=jsonpath={.spec.clusterIP}',
    )
    expect(await inPod('getent hosts database')).toMatch(new RegExp(`^${address}\\s`))
    expect(await inPod('getent hosts example.com || echo none')).toBe('none')
  })

  it('answers on a Service address inside its network only', async () => {
    const curl = ['-sk', '--max-time', '5', 'https://10.96.0.1/version']
    expect((await cluster.run('curl', curl)).stdout).toContain('v1.34')
    expect((await run('curl', curl, { allowFailure: true })).stdout).toBe('')
  })

  it('writes each request into the audit log, with its user agent', async () => {
    await cluster.run('curl', ['-sk', '-A', 'audit-probe/1', 'https://10.245.0.1:6443/version'])
    expect(readFileSync(join(stateFolder(name), 'audit.log'), 'utf8')).toContain('audit-probe/1')
  })

  it('passes standard input and the exit code through exec, and prints nothing of its own', async () => {
    const command = ['run', '--silent', 'cluster', '--', 'exec', '--name', name, 'sh', '-c', 'cat; exit 7']
    const result = await run('npm', command, { input: 'given', allowFailure: true, cwd: projectRoot })
    expect(result).toMatchObject({ code: 7, stdout: 'given' })
    const kubectl = ['run', '--silent', 'cluster', '--', '--name', name, 'exec', 'kubectl', 'get', 'ns', '-A']
    expect((await run('npm', kubectl, { cwd: projectRoot })).stdout).toMatch(/^NAME +STATUS/)
    await cluster.run('helm', ['list'])
  })

  it('is used, and not touched, as a foreign context, but never as the current one', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mysql-operator-test-'))
    const config = JSON.parse(readFileSync(cluster.kubeconfig, 'utf8'))
    const other = { ...config.contexts[0], name: 'other' }
    const file = join(folder, 'config')
    writeFileSync(file, JSON.stringify({ ...config, contexts: [...config.contexts, other] }))
    const foreign = (...args: string[]) => {
      const command = [join(import.meta.dirname, 'cli.ts'), '--context', ...args]
      return cluster.run(process.execPath, command, { env: { KUBECONFIG: file }, allowFailure: true })
    }
    try {
      expect(await foreign('other', 'up')).toMatchObject({ code: 0 })
      const current = await foreign('other', 'exec', 'kubectl', 'config', 'current-context')
      expect(current.stdout).toBe('other\n')
      const absent = await foreign('absent', 'up')
      expect(absent.code).toBe(1)
      expect(absent.stderr).toContain('no kube context "absent"')
      expect(await foreign('other', 'down')).toMatchObject({ code: 0 })
      expect((await status(name)).every(({ healthy }) => healthy)).toBe(true)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('comes up again after every one of its processes was killed, and after up itself was killed', async () => {
    for (const pid of allProcesses()) {
      await run('kill', ['-KILL', String(pid)], { allowFailure: true })
    }
    const interrupted = cli('up', '--name', name)
    const ended = exitCode(interrupted)
    await waitUntil('the API server has been started', 60, () =>
      existsSync(join(stateFolder(name), 'logs/kube-apiserver.log')),
    )
    interrupted.kill('SIGKILL')
    await ended
    expect(await status(name)).toEqual([])
    const again = await up({ name, log, operator: false })
    expect(await again.kubectl('get', 'nodes')).toContain(' Ready ')
    expect(await again.kubectl('get', 'ns')).not.toContain(namespace)
  })

  it('leaves no process, mount, namespace or cgroup behind when it is taken down', async () => {
    await startProbe(localCluster(name) as Cluster)
    expect(processesWith('cgroup', `mysql-operator-${name}`).length).toBeGreaterThan(0)
    const visitor = localCluster(name)?.spawn('sleep', ['1000'], { stdio: 'ignore' }) as ChildProcess
    await waitUntil('the visitor is in the network', 5, () =>
      namespaceMembers(allProcesses()).includes(visitor.pid ?? 0),
    )
    const members = namespaceMembers(allProcesses())
    await down({ name, log })
    await waitUntil(
      'the visitor has ended',
      5,
      () => visitor.signalCode !== null || visitor.exitCode !== null,
    )
    expect(allProcesses()).toEqual([])
    expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(stateFolder(name))
    const cgroups = (await run('find', ['/sys/fs/cgroup', '-name', `mysql-operator-${name}`])).stdout
    expect(cgroups).toBe('')
    expect(existsSync(stateFolder(name))).toBe(false)
    // With its last process a namespace is gone. Its number says nothing: the kernel gives it to the next one.
    expect(members.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([])
    expect(await status(name)).toEqual([])
  })
})
