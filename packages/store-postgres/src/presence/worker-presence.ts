// The presence of one worker, as the heartbeat aggregator derives it.
const WORKER_STATUSES = ['live', 'late', 'gone'] as const;

export type WorkerStatus = (typeof WORKER_STATUSES)[number];

/** Most active job ids that one row stores. */
export const MAX_ACTIVE_JOBS = 1_000;

/** Instants are RFC 3339 UTC. */
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
  /** Job ids, at most `MAX_ACTIVE_JOBS`; undefined when the worker does not report them. */
  activeJobs: readonly string[] | undefined;
  /** Number of all active jobs. */
  activeJobCount: number | undefined;
}
