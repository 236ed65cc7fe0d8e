/**
 * The main job, for people to watch: install, apply, use, refuse, change a password, delete, make again with the data back,
 * and look at the operator. Leaves everything running.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Cluster } from './access.ts'
import { up } from './cluster.ts'
import { installOperator, release, restrictedNamespace } from './install.ts'
import { progressLog } from './progress.ts'

const namespace = 'demo'
const name = 'mysql-instance'
const manifest = readFileSync(
  fileURLToPath(new URL('../../docs/examples/mysql-instance.yaml', import.meta.url)),
  'utf8',
)
const password = { old: 's256789', new: 'another-s256789' }

const say = (text: string) => process.stdout.write(`${text}\n`)
const indented = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n')

let steps = 0
/** One step: says what it does, does it, shows what came out, and how long it took. */
const step = async (what: string, work: () => Promise<string | undefined>): Promise<void> => {
  steps += 1
  say(`\n${steps}. ${what}`)
  const start = performance.now()
  const output = await work()
  if (output) say(indented(output))
  say(`   (${((performance.now() - start) / 1000).toFixed(1)} s)`)
}

const kubectl = (cluster: Cluster, ...args: string[]) => cluster.kubectl('-n', namespace, ...args)

const apply = async (cluster: Cluster, text: string) => {
  const { stdout, stderr, code } = await cluster.run('kubectl', ['-n', namespace, 'apply', '-f', '-'], {
    input: text,
    allowFailure: true,
  })
  return { code, text: `${stdout}${stderr}` }
}

const applied = async (cluster: Cluster, text: string) => {
  const result = await apply(cluster, text)
  if (result.code !== 0) throw new Error(`the manifest was refused:\n${result.text}`)
  return result.text
}

const isReady = (cluster: Cluster) =>
  kubectl(cluster, 'wait', 'mysql', name, '--for=condition=Ready', '--timeout=180s')

/** SQL as the account of the manifest; the password goes in on standard input. */
const sql = (cluster: Cluster, secret: string, statements: string) => {
  const script =
    'read -r password; exec mysql --defaults-extra-file=<(printf "[client]\\npassword=%s\\n" "$password") -t "$@"'
  const client = ['--protocol=TCP', '-h', '127.0.0.1', '-u', 'ali', 'otus-database']
  const args = [
    '-n',
    namespace,
    'exec',
    '-i',
    `${name}-0`,
    '-c',
    'mysql',
    '--',
    'bash',
    '-c',
    script,
    'mysql',
    ...client,
  ]
  return cluster.run('kubectl', args, { input: `${secret}\n${statements}`, allowFailure: true })
}

const rows = async (cluster: Cluster, secret: string, statements: string) => {
  const { code, stdout, stderr } = await sql(cluster, secret, statements)
  if (code !== 0) throw new Error(`SQL failed: ${stderr}`)
  return stdout
}

const curl = async (cluster: Cluster, path: string) => {
  // Through the API server, so that it works on any cluster.
  const url = `/api/v1/namespaces/${release}/services/https:${release}:443/proxy${path}`
  return cluster.kubectl('get', '--raw', url)
}

const passwordChanged = (cluster: Cluster) =>
  kubectl(cluster, 'wait', 'mysql', name, '--for=condition=CredentialsReady', '--timeout=120s')

const demo = async (cluster: Cluster): Promise<void> => {
  await step('helm install: two replicas, restricted, one of them leads', async () => {
    await installOperator(cluster)
    return cluster.kubectl('-n', release, 'get', 'pods,lease')
  })
  await step(`An empty namespace "${namespace}" that enforces Pod Security restricted`, async () => {
    await cluster.run('kubectl', ['delete', 'namespace', namespace, '--ignore-not-found', '--timeout=120s'])
    return cluster.apply(restrictedNamespace(namespace))
  })
  await step('kubectl apply -f docs/examples/mysql-instance.yaml, and wait until it is Ready', async () => {
    const text = await applied(cluster, manifest)
    await isReady(cluster)
    return `${text}\n${await kubectl(cluster, 'get', 'mysqls,pods,jobs')}`
  })
  await step('The passwords are nowhere in the stored resource: there are references to hashes', async () =>
    kubectl(cluster, 'get', 'mysql', name, '-o', 'jsonpath={.spec}'),
  )
  await step('It is a MySQL that answers', () =>
    rows(
      cluster,
      password.old,
      "CREATE TABLE test (id INT PRIMARY KEY, name VARCHAR(255)); INSERT INTO test VALUES (1, 'some data'), (2, 'some data-2'); SELECT * FROM test;",
    ),
  )
  await step('A wrong manifest is refused, with the field and the remedy', async () => {
    const wrong = manifest
      .replace('otus-database', '"x; id"')
      .replace('1Gi', '1Mi')
      .replace('mysql-instance', 'wrong')
    const { code, text } = await apply(cluster, wrong)
    if (code === 0) throw new Error('the wrong manifest was accepted')
    return text
  })
  await step(
    'Another user_password in the file, applied: the new one works, the old one does not',
    async () => {
      const text = await applied(cluster, manifest.replace(password.old, password.new))
      await kubectl(cluster, 'wait', `job/password-change-${name}-job`, '--for=create', '--timeout=60s')
      await kubectl(
        cluster,
        'wait',
        `job/password-change-${name}-job`,
        '--for=condition=Complete',
        '--timeout=120s',
      )
      await passwordChanged(cluster)
      const now = await rows(cluster, password.new, "SELECT 'the new password works' AS answer;")
      const before = await sql(cluster, password.old, 'SELECT 1;')
      if (before.code === 0) throw new Error('the old password still works')
      return `${text}${now}${before.stderr}`
    },
  )
  await step('kubectl delete: a last dump is made, then everything but the backup volume goes', async () => {
    await kubectl(cluster, 'delete', 'mysql', name, '--timeout=180s')
    return kubectl(cluster, 'get', 'mysqls,pods,jobs,pvc')
  })
  await step('Made again under the same name: the data is back', async () => {
    await applied(cluster, manifest.replace(password.old, password.new))
    await isReady(cluster)
    await kubectl(cluster, 'wait', 'mysql', name, '--for=condition=Restored', '--timeout=60s')
    const data = await rows(cluster, password.new, 'SELECT * FROM test;')
    return `${data}${await kubectl(cluster, 'get', 'mysqls')}`
  })
  await step('/healthz and /metrics of the operator', async () => {
    const metrics = (await curl(cluster, '/metrics')).split('\n')
    const own = metrics.filter((line) =>
      /^mysql_operator_(leader|instances|instances_ready|queue_depth) /.test(line),
    )
    return `${await curl(cluster, '/healthz?verbose')}${own.join('\n')}`
  })
}

const { values } = parseArgs({
  options: { context: { type: 'string' }, name: { type: 'string', default: 'demo' } },
})
const start = performance.now()
const target = {
  name: values.name,
  log: progressLog(),
  ...(values.context ? { context: values.context } : {}),
}
const where = values.context ? `--context ${values.context}` : `--name ${values.name}`
try {
  say(
    values.context
      ? `Using the cluster of context ${values.context}.`
      : 'Bringing up a Kubernetes cluster on this machine …',
  )
  await demo(await up(target))
  say(
    `\nDone in ${((performance.now() - start) / 60_000).toFixed(1)} minutes. Everything is still running. Look around:`,
  )
  say(`    npm run --silent cluster -- exec ${where} kubectl -n ${namespace} get mysqls,pods,jobs,pvc,events`)
  say(`    npm run --silent cluster -- exec ${where} kubectl -n ${namespace} describe mysql ${name}`)
  say(`    npm run --silent cluster -- exec ${where} kubectl -n ${release} logs deploy/${release}`)
  if (!values.context) say(`Take it down:\n    npm run cluster -- down ${where}`)
} catch (error) {
  process.stderr.write(`\n${error instanceof Error ? error.message : error}\n`)
  say(
    `The demo stopped at step ${steps}. See what there is: npm run --silent cluster -- exec ${where} kubectl get pods -A`,
  )
  process.exitCode = 1
}
