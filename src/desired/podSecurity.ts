/** The `mysql` account of official-style images. A number, since an image may have no name for it. */
const mysqlId = 999

/** What makes a pod meet the Pod Security Standard *restricted*, and more. Part of every pod's spec. */
export const podSecurity = {
  // Nothing in these pods talks to the API server.
  automountServiceAccountToken: false,
  // A Service called mysql-tcp would otherwise set MYSQL_TCP_PORT, which every MySQL program obeys.
  enableServiceLinks: false,
  securityContext: {
    runAsNonRoot: true,
    runAsUser: mysqlId,
    runAsGroup: mysqlId,
    fsGroup: mysqlId,
    // Walking through a large data directory at each start would take minutes.
    fsGroupChangePolicy: 'OnRootMismatch',
    seccompProfile: { type: 'RuntimeDefault' },
  },
}

/** The same for every container. */
export const containerSecurity = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
  capabilities: { drop: ['ALL'] },
}
