import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Component, Site } from './components.ts'
import { pki } from './controlplane.ts'
import { dnsServiceAddress, nodeAddress } from './network.ts'

const provisionerName = 'test-cluster/local-volumes'

/** CoreDNS, as a process of the node. Names outside of the cluster do not exist. */
export function coredns(site: Site): Component {
  const file = join(site.stateDir, 'Corefile')
  writeFileSync(
    file,
    // Two blocks, since within one the template plugin comes before the kubernetes plugin.
    `cluster.local in-addr.arpa ip6.arpa {
  errors
  ready 127.0.0.1:8181
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    kubeconfig ${pki(site, 'coredns.kubeconfig')}
    ttl 5
  }
}
. {
  errors
  template ANY ANY {
    rcode NXDOMAIN
  }
}
`,
  )
  return {
    name: 'coredns',
    command: [join(site.binaries, 'coredns'), '-conf', file],
    health: 'http://127.0.0.1:8181/ready',
  }
}

/** The provisioner of the default StorageClass. */
export function localVolumes(site: Site): Component {
  const folder = join(site.stateDir, 'volumes')
  mkdirSync(folder)
  return {
    name: 'local-volumes',
    command: [
      join(site.binaries, 'local-volumes'),
      `--kubeconfig=${pki(site, 'local-volumes.kubeconfig')}`,
      `--root=${folder}`,
      `--provisioner=${provisionerName}`,
    ],
  }
}

/** What belongs into the cluster itself: the default StorageClass and the Service of the DNS server. */
export function manifests(): object[] {
  const dns = { name: 'kube-dns', namespace: 'kube-system' }
  const ports = [
    { name: 'dns', protocol: 'UDP', port: 53 },
    { name: 'dns-tcp', protocol: 'TCP', port: 53 },
  ]
  return [
    {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: {
        name: 'standard',
        annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' },
      },
      provisioner: provisionerName,
      volumeBindingMode: 'WaitForFirstConsumer',
      reclaimPolicy: 'Delete',
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { ...dns, labels: { 'k8s-app': 'kube-dns' } },
      spec: { clusterIP: dnsServiceAddress, ports },
    },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { ...dns, labels: { 'kubernetes.io/service-name': 'kube-dns' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: [nodeAddress], conditions: { ready: true } }],
      ports,
    },
  ]
}
