import { parentPort } from 'node:worker_threads'

/** Stands in for the hashing worker and ends at the first request, as for want of memory. */
parentPort?.on('message', () => process.exit(7))
