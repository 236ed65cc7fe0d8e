import type { Account } from './names.ts'

/** Fields of one account, as they stand below `spec`. */
export interface AccountFields {
  password: string
  reference: string
}

/** Where each account's password stands in the spec. */
export const accountFields = {
  root: { password: 'password', reference: 'passwordSecretRef' },
  user: { password: 'user_password', reference: 'userPasswordSecretRef' },
} as const satisfies Record<Account, AccountFields>
