/** Who may send reviews where the API servers are known: by their client certificate, by their address, or by both. */
import { X509Certificate } from 'node:crypto'
import { BlockList, isIPv6, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

export interface ReviewerOptions {
  /** PEM of who signs the API servers' client certificates; empty: none is asked for. */
  clientCA: string
  /** Common names that such a certificate may have; empty: any. */
  clientNames: readonly string[]
  /** Addresses of the API servers, as CIDRs; empty: any. */
  apiServerCIDRs: readonly string[]
}

/** Why a connection may send no reviews, in words for whoever set the chart's values; undefined if it may. */
export type Refusal = (socket: Socket) => string | undefined

/** Throws one Error that says what is wrong with the options. */
export const createRefusal = (options: ReviewerOptions): Refusal => {
  const { clientCA, clientNames, apiServerCIDRs } = options
  if (clientCA !== '') checkCertificates(clientCA)
  const addresses = apiServerCIDRs.length > 0 ? listOf(apiServerCIDRs) : undefined
  return (socket) =>
    (addresses && wrongAddress(socket, addresses)) ??
    (clientCA === '' ? undefined : wrongCertificate(socket, clientNames))
}

const checkCertificates = (pem: string) => {
  const found = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  try {
    for (const one of found) new X509Certificate(one)
  } catch (cause) {
    throw new Error('webhook.clientCA holds a certificate that cannot be read: give it in PEM', { cause })
  }
  if (found.length === 0) throw new Error('webhook.clientCA holds no certificate: give one in PEM')
}

const listOf = (cidrs: readonly string[]): BlockList => {
  const list = new BlockList()
  for (const cidr of cidrs) {
    const [address = '', bits = 'none'] = cidr.split('/')
    try {
      list.addSubnet(address, Number(bits), familyOf(address))
    } catch (cause) {
      throw new Error(`networkPolicy.apiServerCIDRs: ${cidr} is none: write one like 10.0.0.0/28`, { cause })
    }
  }
  return list
}

const familyOf = (address: string) => (isIPv6(address) ? 'ipv6' : 'ipv4')

const wrongAddress = ({ remoteAddress = '' }: Socket, addresses: BlockList): string | undefined =>
  remoteAddress !== '' && addresses.check(remoteAddress, familyOf(remoteAddress))
    ? undefined
    : `reviews from ${remoteAddress} are not taken, only from networkPolicy.apiServerCIDRs of the chart`

const remedy = 'see "The webhooks" in docs/security.md'

const wrongCertificate = (socket: Socket, names: readonly string[]): string | undefined => {
  if (!hasCertificate(socket))
    return `reviews are taken with a client certificate only that webhook.clientCA of the chart has signed: ${remedy}`
  const { CN } = socket.getPeerCertificate().subject
  if (names.length === 0 || (typeof CN === 'string' && names.includes(CN))) return undefined
  return `webhook.clientNames of the chart does not list the common name of this client certificate: ${remedy}`
}

/** What `authorized` means in a session that was resumed is the TLS library's to say, so the certificate must be there too. */
const hasCertificate = (socket: Socket): socket is TLSSocket =>
  socket instanceof TLSSocket && socket.authorized && socket.getPeerX509Certificate() !== undefined
