// What is known of one worker.
const WORKER_STATUSES = ['live', 'late', 'gone'] as const;

export type WorkerStatus = (typeof WORKER_STATUSES)[number];

/** Most ids that a row names of what its worker works on. */
export const MAX_ACTIVE_JOBS = 1_000;

/** What is known of one worker. Instants are RFC 3339 UTC. */
export interface WorkerPresence {
  service: string;
  type: string;
  instanceId: string;
  status: WorkerStatus;
  firstSeenAt: string;
  lastSeenAt: string;
  heartbeatIntervalMs: number;
  concurrency: number | undefined;
  version: string | undefined;
  /** Ids, at most MAX_ACTIVE_JOBS; undefined where the worker does not say. */
  activeJobs: readonly string[] | undefined;
  /** How many they are in all. */
  activeJobCount: number | undefined;
}
