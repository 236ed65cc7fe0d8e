import type { MySQLSpec } from './schema.ts'

/**
 * What a change of a field does to a database that is there. `live`: no restart. `rolling`: the pod is replaced. `once`:
 * refused after the resource was made.
 */
export type ChangeClass = 'live' | 'rolling' | 'once'

/** Every field of the spec; one without a class does not compile. */
export const changeClasses = {
  image: 'rolling',
  database: 'once',
  password: 'live',
  passwordSecretRef: 'live',
  user: 'once',
  user_password: 'live',
  userPasswordSecretRef: 'live',
  passwordGraceSeconds: 'live',
  storage_size: 'once',
  storageClassName: 'once',
  resources: 'rolling',
  nodeSelector: 'rolling',
  tolerations: 'rolling',
  priorityClassName: 'rolling',
  imagePullPolicy: 'rolling',
  imagePullSecrets: 'rolling',
  suspended: 'live',
  deletionPolicy: 'live',
  deletionProtection: 'live',
  backup: 'live',
  restore: 'once',
} as const satisfies Record<keyof MySQLSpec, ChangeClass>
