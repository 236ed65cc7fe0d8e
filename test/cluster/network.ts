import { type Machine, scriptInMachine } from './machine.ts'

/** The same in every cluster, since each has a network of its own. */
export const nodeAddress = '10.245.0.1'
export const podSubnet = '10.244.0.0/24'
export const serviceSubnet = '10.96.0.0/16'
export const kubernetesServiceAddress = '10.96.0.1'
export const dnsServiceAddress = '10.96.0.10'

/**
 * Gives the machine its node address. There is no way out: what is not in the cluster is unreachable at once.
 * A route for Services is needed although kube-proxy rewrites their addresses: the routing decision comes first.
 */
export async function setUpNetwork(machine: Machine): Promise<void> {
  await scriptInMachine(
    machine,
    `ip link set lo up
     ip link add name eth0 type veth peer name uplink
     ip address add ${nodeAddress}/24 dev eth0
     ip link set eth0 up
     ip link set uplink up
     ip route add ${serviceSubnet} dev eth0
     ip route add unreachable default
     echo 1 > /proc/sys/net/ipv4/ip_forward
     bridged=/proc/sys/net/bridge/bridge-nf-call-iptables
     if [ -e $bridged ]; then echo 1 > $bridged; fi`,
  )
}

/** The CNI configuration: one bridge for the node's pods. */
export function cniConfiguration(): object {
  return {
    cniVersion: '1.0.0',
    name: 'pods',
    plugins: [
      {
        type: 'bridge',
        bridge: 'cni0',
        isDefaultGateway: true,
        // A pod must reach itself through its own Service.
        hairpinMode: true,
        ipam: { type: 'host-local', ranges: [[{ subnet: podSubnet }]] },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  }
}
