/**
 * Names of the clusters that the stories share out among themselves, each story file on one of them. `CLUSTER_NAME` and
 * `CLUSTER_CONTEXT` name a single one.
 *
 * Two, since a story mostly waits: for a server to start, a Job to end, a grace period to pass.
 */
export const storyClusters = ({ CLUSTER_NAME, CLUSTER_CONTEXT }: NodeJS.ProcessEnv): string[] =>
  CLUSTER_NAME === undefined && CLUSTER_CONTEXT === undefined
    ? ['test-1', 'test-2']
    : [CLUSTER_NAME ?? 'test']
