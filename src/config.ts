import { Ajv } from 'ajv'
import { generatedLength } from './passwords/generate.ts'

/** What the chart tells the process through its environment; names of objects are in the operator's own namespace. */
export interface Config {
  /** Port of the one HTTPS server. */
  port: number
  /** This replica: the holder's identity in the Lease. */
  podName: string
  namespace: string
  /** Service in front of the replicas; its DNS names are in the certificate. */
  serviceName: string
  leaseName: string
  /** Secret with the operator key, from which password tags and seals are derived. */
  keySecret: string
  /** Secret with the certificate authority. */
  authoritySecret: string
  /** Name of both the mutating and the validating webhook configuration. */
  webhookConfiguration: string
  /** Folder with tls.crt, tls.key and ca.crt made by somebody else (cert-manager); empty: make them. */
  certificateFolder: string
  /** Namespaces to watch; empty: all. */
  watchNamespaces: readonly string[]
  /** How long a replica that ends serves on, in seconds, so that nobody is sent to it any more when it closes. */
  drainSeconds: number
  /** Ask for a token with the right to `get` the path /metrics. */
  protectMetrics: boolean
  /** PEM of the CA of the API servers' client certificates; empty: reviews are taken without one. */
  clientCA: string
  /** Common names that such a certificate may have; empty: any. */
  clientNames: readonly string[]
  /** Addresses from which reviews are taken, as CIDRs; empty: from everywhere. */
  apiServerCIDRs: readonly string[]
  logLevel: string
  /** Characters of a root password that nobody gave. */
  generatedPasswordLength: number
}

const name = { type: 'string', pattern: '^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$' }

const schema = {
  type: 'object',
  required: ['POD_NAME', 'POD_NAMESPACE', 'SERVICE_NAME'],
  properties: {
    PORT: { type: 'integer', minimum: 1, maximum: 65535, default: 8443 },
    POD_NAME: name,
    POD_NAMESPACE: name,
    SERVICE_NAME: name,
    LEASE_NAME: { ...name, default: 'mysql-operator' },
    KEY_SECRET: { ...name, default: 'mysql-operator-key' },
    AUTHORITY_SECRET: { ...name, default: 'mysql-operator-ca' },
    WEBHOOK_CONFIGURATION: { ...name, default: 'mysql-operator' },
    CERTIFICATE_FOLDER: { type: 'string', default: '' },
    WATCH_NAMESPACES: { type: 'string', pattern: '^([a-z0-9-]+(,[a-z0-9-]+)*)?$', default: '' },
    // Outside of a cluster there is no other replica that anybody could go to.
    DRAIN_SECONDS: { type: 'integer', minimum: 0, default: 0 },
    PROTECT_METRICS: { type: 'boolean', default: false },
    CLIENT_CA: { type: 'string', default: '' },
    CLIENT_NAMES: { type: 'string', default: '' },
    API_SERVER_CIDRS: { type: 'string', default: '' },
    LOG_LEVEL: { type: 'string', enum: ['debug', 'info', 'warn', 'error'], default: 'info' },
    GENERATED_PASSWORD_LENGTH: { type: 'integer', ...generatedLength },
  },
}

interface Environment {
  PORT: number
  POD_NAME: string
  POD_NAMESPACE: string
  SERVICE_NAME: string
  LEASE_NAME: string
  KEY_SECRET: string
  AUTHORITY_SECRET: string
  WEBHOOK_CONFIGURATION: string
  CERTIFICATE_FOLDER: string
  WATCH_NAMESPACES: string
  DRAIN_SECONDS: number
  PROTECT_METRICS: boolean
  CLIENT_CA: string
  CLIENT_NAMES: string
  API_SERVER_CIDRS: string
  LOG_LEVEL: string
  GENERATED_PASSWORD_LENGTH: number
}

const listIn = (text: string): readonly string[] => (text === '' ? [] : text.split(','))

/** The environment as one frozen Config. Throws one Error that names every variable that is missing or wrong. */
export const readConfig = (environment: NodeJS.ProcessEnv): Config => {
  const ajv = new Ajv({ allErrors: true, useDefaults: true, coerceTypes: true })
  const check = ajv.compile<Environment>(schema)
  const values: unknown = Object.fromEntries(
    Object.entries(environment).filter(([key]) => key in schema.properties),
  )
  if (!check(values)) {
    throw new Error(`The environment is wrong, see values.yaml of the chart: ${ajv.errorsText(check.errors)}`)
  }
  return Object.freeze({
    port: values.PORT,
    podName: values.POD_NAME,
    namespace: values.POD_NAMESPACE,
    serviceName: values.SERVICE_NAME,
    leaseName: values.LEASE_NAME,
    keySecret: values.KEY_SECRET,
    authoritySecret: values.AUTHORITY_SECRET,
    webhookConfiguration: values.WEBHOOK_CONFIGURATION,
    certificateFolder: values.CERTIFICATE_FOLDER,
    watchNamespaces: listIn(values.WATCH_NAMESPACES),
    drainSeconds: values.DRAIN_SECONDS,
    protectMetrics: values.PROTECT_METRICS,
    clientCA: values.CLIENT_CA,
    clientNames: listIn(values.CLIENT_NAMES),
    apiServerCIDRs: listIn(values.API_SERVER_CIDRS),
    logLevel: values.LOG_LEVEL,
    generatedPasswordLength: values.GENERATED_PASSWORD_LENGTH,
  })
}
