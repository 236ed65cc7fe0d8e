import { foreignCluster, localCluster } from './access.ts'
import { type Cluster, down, status, up } from './cluster.ts'
import { load } from './load.ts'
import { exitCode } from './processes.ts'
import { type Log, progressLog } from './progress.ts'

const usage = `Usage: npm run cluster -- COMMAND [--name NAME] [--context NAME]

  up               brings up a cluster on this machine (Debian, root), or looks whether the named context answers
  down             takes it down and leaves nothing behind; does nothing to a named context
  exec COMMAND…    runs a command in the cluster's network, with KUBECONFIG set and kubectl and helm on PATH
  load IMAGE       puts an image into it: a docker-archive file, or an image of buildah; mysql-operator:dev is built first
  status           says whether each of its parts is healthy

  --name NAME      which cluster of this machine (default: demo)
  --context NAME   a context of your kubeconfig instead; kind, minikube, k3s, anything
`

type Call = { verb: string; name: string; context?: string; rest: string[] }

/** Options stand before or after the verb; from the first other word on everything belongs to the verb. */
function parse(args: string[]): Call {
  const before = takeOptions(args)
  const [verb = '', ...others] = before.rest
  const after = takeOptions(others)
  const rest = after.rest[0] === '--' ? after.rest.slice(1) : after.rest
  return { name: 'demo', ...before.options, ...after.options, verb, rest }
}

/** Splits off the options that stand in front. */
function takeOptions(args: string[]): { options: Pick<Call, 'context'> & { name?: string }; rest: string[] } {
  const [word = '', next, ...more] = args
  const [, option, inline] = word.match(/^--(name|context)(?:=(.*))?$/s) ?? []
  if (option === undefined) return { options: {}, rest: args }
  const value = inline ?? next
  if (!value) throw new Error(`--${option} needs a value\n\n${usage}`)
  const { options, rest } = takeOptions(inline === undefined ? more : args.slice(1))
  return { options: { [option]: value, ...options }, rest }
}

async function execute({ name, context, rest }: Call): Promise<number> {
  const [command, ...args] = rest
  if (command === undefined) throw new Error(`exec needs a command\n\n${usage}`)
  const cluster: Cluster | undefined = context ? await foreignCluster(name, context) : localCluster(name)
  if (!cluster)
    throw new Error(`cluster ${name} is not up: start it with 'npm run cluster -- up --name ${name}'`)
  const child = cluster.spawn(command, args, { stdio: 'inherit' })
  // Ctrl-C reaches the whole foreground group by itself; the command decides what it does about it.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => signal !== 'SIGINT' && child.kill(signal))
  }
  return exitCode(child)
}

async function report({ name, context }: Call): Promise<number> {
  if (context) {
    await foreignCluster(name, context)
    console.log(`context ${context} answers`)
    return 0
  }
  const components = await status(name)
  if (components.length === 0) console.log(`cluster ${name} is not up`)
  for (const { component, healthy } of components)
    console.log(`${component.padEnd(24)} ${healthy ? 'healthy' : 'FAILED'}`)
  return components.length > 0 && components.every(({ healthy }) => healthy) ? 0 : 1
}

async function loadImage({ name, context, rest: [image] }: Call, log: Log): Promise<number> {
  if (!image) throw new Error(`load needs an image\n\n${usage}`)
  if (context) {
    throw new Error(
      `an image gets into context ${context} by its own means: 'kind load docker-image', 'minikube image load', 'k3s ctr images import'`,
    )
  }
  await load(name, image, log)
  return 0
}

async function main(args: string[]): Promise<number> {
  const log = progressLog()
  const call = parse(args)
  const target = { name: call.name, context: call.context, log }
  switch (call.verb) {
    case 'up':
      await up(target)
      return 0
    case 'down':
      await down(target)
      return 0
    case 'exec':
      return execute(call)
    case 'load':
      return loadImage(call, log)
    case 'status':
      return report(call)
    default:
      process.stderr.write(usage)
      return call.verb === 'help' || call.verb === '--help' ? 0 : 2
  }
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code
  },
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
    process.exitCode = 1
  },
)
