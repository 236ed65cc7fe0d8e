import type * as k8s from '@kubernetes/client-node'
import { type MySQL as MySQLResource, mysqlKind } from '../api/mysql.ts'
import { apiVersion } from '../api/names.ts'
import type { Live, Resource, TypedResource } from '../api/resource.ts'

/** How a kind is addressed. A value, so that calls infer the type of the object from it. */
export interface Kind<T extends TypedResource = Resource> {
  readonly apiVersion: string
  readonly kind: string
  /** The resource's name in the URL. */
  readonly plural: string
  readonly namespaced: boolean
  /** Its objects carry secrets: errors about them keep no text of the server, which may quote a value. */
  readonly sensitive?: boolean
  /** Never set: only carries the type. */
  readonly type?: T
}

/** A kind where the type of its objects does not matter. */
export type AnyKind = Kind<TypedResource>

export type MySQL = MySQLResource
export type StatefulSet = Live<k8s.V1StatefulSet>
export type Pod = Live<k8s.V1Pod>
export type Job = Live<k8s.V1Job>
export type PersistentVolumeClaim = Live<k8s.V1PersistentVolumeClaim>
export type Service = Live<k8s.V1Service>
export type ConfigMap = Live<k8s.V1ConfigMap>
export type Secret = Live<k8s.V1Secret>
export type NetworkPolicy = Live<k8s.V1NetworkPolicy>
export type StorageClass = Live<k8s.V1StorageClass>
export type ResourceQuota = Live<k8s.V1ResourceQuota>
export type Namespace = Live<k8s.V1Namespace>
export type Event = Live<k8s.EventsV1Event>
export type Lease = Live<k8s.V1Lease>
export type TokenReview = Live<k8s.V1TokenReview>
export type SubjectAccessReview = Live<k8s.V1SubjectAccessReview>
export type ValidatingWebhookConfiguration = Live<k8s.V1ValidatingWebhookConfiguration>
export type MutatingWebhookConfiguration = Live<k8s.V1MutatingWebhookConfiguration>

const namespaced = <T extends TypedResource>(apiVersion: string, kind: string, plural: string): Kind<T> => ({
  apiVersion,
  kind,
  plural,
  namespaced: true,
})
const clusterWide = <T extends TypedResource>(apiVersion: string, kind: string, plural: string): Kind<T> => ({
  apiVersion,
  kind,
  plural,
  namespaced: false,
})

/** A MySQL may still carry an inline password where the webhook was off. */
export const MySQL: Kind<MySQL> = { ...namespaced<MySQL>(apiVersion, mysqlKind, 'mysqls'), sensitive: true }
export const StatefulSet = namespaced<StatefulSet>('apps/v1', 'StatefulSet', 'statefulsets')
export const Pod = namespaced<Pod>('v1', 'Pod', 'pods')
export const Job = namespaced<Job>('batch/v1', 'Job', 'jobs')
export const PersistentVolumeClaim = namespaced<PersistentVolumeClaim>(
  'v1',
  'PersistentVolumeClaim',
  'persistentvolumeclaims',
)
export const Service = namespaced<Service>('v1', 'Service', 'services')
export const ConfigMap = namespaced<ConfigMap>('v1', 'ConfigMap', 'configmaps')
export const Secret: Kind<Secret> = { ...namespaced<Secret>('v1', 'Secret', 'secrets'), sensitive: true }
export const NetworkPolicy = namespaced<NetworkPolicy>(
  'networking.k8s.io/v1',
  'NetworkPolicy',
  'networkpolicies',
)
export const StorageClass = clusterWide<StorageClass>('storage.k8s.io/v1', 'StorageClass', 'storageclasses')
export const ResourceQuota = namespaced<ResourceQuota>('v1', 'ResourceQuota', 'resourcequotas')
export const Namespace = clusterWide<Namespace>('v1', 'Namespace', 'namespaces')
export const Event = namespaced<Event>('events.k8s.io/v1', 'Event', 'events')
export const Lease = namespaced<Lease>('coordination.k8s.io/v1', 'Lease', 'leases')
/** Its spec is a bearer token. */
export const TokenReview: Kind<TokenReview> = {
  ...clusterWide<TokenReview>('authentication.k8s.io/v1', 'TokenReview', 'tokenreviews'),
  sensitive: true,
}
export const SubjectAccessReview = clusterWide<SubjectAccessReview>(
  'authorization.k8s.io/v1',
  'SubjectAccessReview',
  'subjectaccessreviews',
)
export const ValidatingWebhookConfiguration = clusterWide<ValidatingWebhookConfiguration>(
  'admissionregistration.k8s.io/v1',
  'ValidatingWebhookConfiguration',
  'validatingwebhookconfigurations',
)
export const MutatingWebhookConfiguration = clusterWide<MutatingWebhookConfiguration>(
  'admissionregistration.k8s.io/v1',
  'MutatingWebhookConfiguration',
  'mutatingwebhookconfigurations',
)
