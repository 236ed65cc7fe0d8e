/** Leaves a password wherever one could be left: what a search does not find there, it cannot find. */
import { query, type Space, sql } from './support.ts'

/** What the first operator's Jobs were like: the password in the environment, in a command line, and in a log. */
const careless = (password: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'careless' },
  spec: {
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 0,
    securityContext: { runAsNonRoot: true, runAsUser: 999, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [
      {
        name: 'careless',
        image: 'mysql:9.7',
        command: [
          ...['bash', '-c', 'echo "$1"; echo "$1" >/dev/termination-log; sleep 3600; :', 'mysqldump'],
          `-p${password}`,
        ],
        env: [{ name: 'MYSQL_PWD', value: password }],
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
      },
    ],
  },
})

const event = (namespace: string, password: string) => ({
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name: 'careless' },
  involvedObject: { kind: 'Pod', name: 'careless', namespace },
  reason: 'Failed',
  type: 'Warning',
  message: `mysqldump -p${password} ended with 2`,
})

const secret = (password: string) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'control' },
  stringData: { password },
})

/** Leaves `password` in objects, logs, files, processes and in the database `shop`, where `root` can log in. */
export const leaveControl = async (
  place: Space,
  name: string,
  root: { user: string; password: string },
  password: string,
): Promise<void> => {
  for (const manifest of [secret(password), careless(password), event(place.namespace, password)]) {
    const input = JSON.stringify(manifest)
    await place.cluster.run('kubectl', ['-n', place.namespace, 'create', '-f', '-'], { input })
  }
  // A label selector is part of the request's address, which the audit log has.
  await place.kubectl('get', 'secrets', '-l', `password=${password}`)
  // Tables, binary log, general and slow log; later the dump.
  const table = `CREATE TABLE shop.careless (t TEXT); INSERT INTO shop.careless VALUES ('${password}')`
  await query(place, name, root, table)
  // The error log has the names of those who were denied.
  await sql(place, name, { user: password, password: '-' }, 'SELECT 1')
  await place.kubectl('wait', 'pod/careless', '--for=condition=Ready', '--timeout=60s')
}
