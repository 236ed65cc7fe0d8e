import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Component, Site } from './components.ts'
import { nodeName, pki } from './controlplane.ts'
import { inMachine, type Machine } from './machine.ts'
import { cniConfiguration, dnsServiceAddress, nodeAddress, podSubnet } from './network.ts'
import { cgroupName } from './paths.ts'
import { run } from './processes.ts'

/** The image of every pod's sandbox container. */
export const pauseImage = 'registry.k8s.io/pause:test-cluster'

/** containerd and the CNI configuration that it reads. */
export function containerd({ stateDir }: Site): Component {
  const folder = join(stateDir, 'containerd')
  const cni = join(stateDir, 'cni')
  mkdirSync(folder)
  mkdirSync(cni)
  writeFileSync(join(cni, 'pods.conflist'), JSON.stringify(cniConfiguration()))
  const configuration = `
version = 2
root = "${folder}/root"
state = "${folder}/state"
[grpc]
address = "${containerdSocket(stateDir)}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "${pauseImage}"
# Root may lack CAP_SYS_RESOURCE, and then no sandbox with a lowered OOM score would start.
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "${cni}"
`
  writeFileSync(join(folder, 'config.toml'), configuration)
  return { name: 'containerd', command: ['containerd', `--config=${folder}/config.toml`] }
}

function containerdSocket(stateDir: string): string {
  return join(stateDir, 'containerd/containerd.sock')
}

/** Runs containerd's own client in the namespace that the kubelet uses. */
export function ctr(machine: Machine, args: string[], allowFailure = false) {
  const socket = containerdSocket(machine.stateDir)
  const [command = '', ...rest] = inMachine(machine, 'ctr', `--address=${socket}`, '-n', 'k8s.io', ...args)
  return run(command, rest, { allowFailure })
}

export function kubelet(site: Site): Component {
  const folder = join(site.stateDir, 'kubelet')
  mkdirSync(folder)
  const configuration = {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: '0.0.0.0',
    tlsCertFile: pki(site, 'kubelet-server.crt'),
    tlsPrivateKeyFile: pki(site, 'kubelet-server.key'),
    authentication: { anonymous: { enabled: false }, x509: { clientCAFile: pki(site, 'ca.crt') } },
    authorization: { mode: 'Webhook' },
    containerRuntimeEndpoint: `unix://${containerdSocket(site.stateDir)}`,
    podLogsDir: join(folder, 'pod-logs'),
    clusterDNS: [dnsServiceAddress],
    clusterDomain: 'cluster.local',
    resolvConf: '/dev/null',
    cgroupDriver: 'cgroupfs',
    // Without a root of its own each kubelet removes the other clusters' pod cgroups as orphans.
    cgroupRoot: `/${cgroupName(site.name)}`,
    enforceNodeAllocatable: [],
    failSwapOn: false,
    // The disk and the memory are the developer's: a full one must not evict pods or delete images.
    evictionHard: { 'memory.available': '0%', 'nodefs.available': '0%', 'imagefs.available': '0%' },
    imageGCHighThresholdPercent: 100,
    serializeImagePulls: false,
  }
  writeFileSync(join(folder, 'config.json'), JSON.stringify(configuration))
  return {
    name: 'kubelet',
    command: [
      join(site.binaries, 'kubelet'),
      `--config=${folder}/config.json`,
      `--kubeconfig=${pki(site, 'kubelet.kubeconfig')}`,
      `--root-dir=${folder}`,
      `--hostname-override=${nodeName}`,
      `--node-ip=${nodeAddress}`,
    ],
    health: 'http://127.0.0.1:10248/healthz',
  }
}

export function kubeProxy(site: Site): Component {
  const file = join(site.stateDir, 'kube-proxy.json')
  const configuration = {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'iptables',
    clientConnection: { kubeconfig: pki(site, 'kube-proxy.kubeconfig') },
    hostnameOverride: nodeName,
    clusterCIDR: podSubnet,
    // The conntrack table is the whole machine's; its size is not ours to change.
    conntrack: { maxPerCore: 0 },
  }
  writeFileSync(file, JSON.stringify(configuration))
  return {
    name: 'kube-proxy',
    command: [join(site.binaries, 'kube-proxy'), `--config=${file}`],
    health: 'http://127.0.0.1:10256/healthz',
  }
}
