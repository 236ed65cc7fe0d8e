import { generateKeyPairSync } from 'node:crypto'
import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createAuthority, issue, kubeconfig, webhookCredentials, writeKeyPair } from './certificates.ts'
import type { Component, Site } from './components.ts'
import { kubernetesServiceAddress, nodeAddress, podSubnet, serviceSubnet } from './network.ts'
import { projectRoot } from './paths.ts'

/** The only node's name. */
export const nodeName = 'node-1'

const apiServer = `https://${nodeAddress}:6443`

/** Users of the API server that are no pods: the file of their kubeconfig, their name and group. */
const clients = {
  // The name that audit log lines of the tests' own kubectl carry.
  admin: { commonName: 'kubernetes-admin', organization: 'system:masters' },
  'kube-controller-manager': { commonName: 'system:kube-controller-manager' },
  'kube-scheduler': { commonName: 'system:kube-scheduler' },
  'kube-proxy': { commonName: 'system:kube-proxy' },
  kubelet: { commonName: `system:node:${nodeName}`, organization: 'system:nodes' },
  coredns: { commonName: 'coredns', organization: 'system:masters' },
  'local-volumes': { commonName: 'local-volumes', organization: 'system:masters' },
}

/** Common name of the certificate that the API server shows to webhooks that ask for one. */
export const webhookClient = 'apiserver-webhooks'

/** A file below the cluster's folder of keys, certificates and kubeconfigs. */
export function pki(site: { stateDir: string }, file: string): string {
  return join(site.stateDir, 'pki', file)
}

/** Makes all keys, certificates and kubeconfigs. */
export async function writeCredentials(site: Site): Promise<void> {
  const folder = pki(site, '')
  const authority = await createAuthority()
  writeKeyPair(folder, 'ca', authority)
  const service = 'kubernetes.default.svc'
  const names = ['localhost', 'kubernetes', 'kubernetes.default', service, `${service}.cluster.local`]
  const addresses = [nodeAddress, '127.0.0.1', kubernetesServiceAddress]
  const pairs = {
    'kube-apiserver': { commonName: 'kube-apiserver', names, addresses },
    'kube-apiserver-client': { commonName: 'kube-apiserver', organization: 'system:masters' },
    'kubelet-server': { commonName: nodeName, addresses: [nodeAddress, '127.0.0.1'] },
  }
  for (const [name, subject] of Object.entries(pairs)) {
    writeKeyPair(folder, name, await issue(authority, subject))
  }
  for (const [name, subject] of Object.entries(clients)) {
    const user = await issue(authority, subject)
    const text = kubeconfig(site.name, apiServer, authority.cert, user)
    writeFileSync(pki(site, `${name}.kubeconfig`), text, { mode: 0o600 })
  }
  const webhooks = await issue(authority, { commonName: webhookClient })
  writeFileSync(pki(site, 'webhooks.kubeconfig'), webhookCredentials(webhooks), { mode: 0o600 })
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  writeFileSync(pki(site, 'service-accounts.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }), {
    mode: 0o600,
  })
  writeFileSync(pki(site, 'service-accounts.pub'), publicKey.export({ type: 'spki', format: 'pem' }))
}

export function etcd({ binaries, stateDir }: Site): Component {
  return {
    name: 'etcd',
    command: [
      join(binaries, 'etcd'),
      `--data-dir=${stateDir}/etcd`,
      '--listen-client-urls=http://127.0.0.1:2379',
      '--advertise-client-urls=http://127.0.0.1:2379',
      '--listen-peer-urls=http://127.0.0.1:2380',
      // A cluster's state never outlives its etcd process, so nothing needs to reach the disk.
      '--unsafe-no-fsync',
      '--log-level=warn',
    ],
    health: 'http://127.0.0.1:2379/health',
  }
}

/** Where the API server writes one line of JSON for every request: who asked, for what, with what user agent. */
export function auditLog(site: { stateDir: string }): string {
  return join(site.stateDir, 'audit.log')
}

/** Makes the API server show its certificate to every webhook. */
function admissionConfiguration(site: Site): object {
  const configuration = {
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'WebhookAdmissionConfiguration',
    kubeConfigFile: pki(site, 'webhooks.kubeconfig'),
  }
  const plugins = ['MutatingAdmissionWebhook', 'ValidatingAdmissionWebhook']
  return {
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'AdmissionConfiguration',
    plugins: plugins.map((name) => ({ name, configuration })),
  }
}

export function kubeApiserver(site: Site): Component {
  // The one that the documentation recommends; a copy, so that a checkout that changes does not matter.
  const policy = join(site.stateDir, 'audit-policy.yaml')
  copyFileSync(join(projectRoot, 'docs/examples/audit-policy.yaml'), policy)
  const admission = join(site.stateDir, 'admission.json')
  writeFileSync(admission, JSON.stringify(admissionConfiguration(site)))
  return {
    name: 'kube-apiserver',
    command: [
      join(site.binaries, 'kube-apiserver'),
      '--etcd-servers=http://127.0.0.1:2379',
      `--advertise-address=${nodeAddress}`,
      `--service-cluster-ip-range=${serviceSubnet}`,
      `--tls-cert-file=${pki(site, 'kube-apiserver.crt')}`,
      `--tls-private-key-file=${pki(site, 'kube-apiserver.key')}`,
      `--client-ca-file=${pki(site, 'ca.crt')}`,
      `--kubelet-client-certificate=${pki(site, 'kube-apiserver-client.crt')}`,
      `--kubelet-client-key=${pki(site, 'kube-apiserver-client.key')}`,
      `--kubelet-certificate-authority=${pki(site, 'ca.crt')}`,
      // Otherwise `kubectl logs` and `exec` try to resolve the node's name.
      '--kubelet-preferred-address-types=InternalIP',
      '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
      `--service-account-signing-key-file=${pki(site, 'service-accounts.key')}`,
      `--service-account-key-file=${pki(site, 'service-accounts.pub')}`,
      '--authorization-mode=Node,RBAC',
      // The second one, which is off by default and on in OpenShift, asks for more rights of who sets owner references.
      '--enable-admission-plugins=NodeRestriction,OwnerReferencesPermissionEnforcement',
      `--admission-control-config-file=${admission}`,
      '--allow-privileged=true',
      `--audit-policy-file=${policy}`,
      `--audit-log-path=${auditLog(site)}`,
      '--audit-log-maxsize=1000',
    ],
    health: `${apiServer}/readyz`,
  }
}

export function kubeControllerManager(site: Site): Component {
  return {
    name: 'kube-controller-manager',
    command: [
      join(site.binaries, 'kube-controller-manager'),
      `--kubeconfig=${pki(site, 'kube-controller-manager.kubeconfig')}`,
      `--root-ca-file=${pki(site, 'ca.crt')}`,
      `--service-account-private-key-file=${pki(site, 'service-accounts.key')}`,
      '--use-service-account-credentials=true',
      `--cluster-cidr=${podSubnet}`,
      '--bind-address=127.0.0.1',
      '--leader-elect=false',
    ],
    health: 'https://127.0.0.1:10257/healthz',
  }
}

export function kubeScheduler(site: Site): Component {
  return {
    name: 'kube-scheduler',
    command: [
      join(site.binaries, 'kube-scheduler'),
      `--kubeconfig=${pki(site, 'kube-scheduler.kubeconfig')}`,
      '--bind-address=127.0.0.1',
      '--leader-elect=false',
    ],
    health: 'https://127.0.0.1:10259/healthz',
  }
}
