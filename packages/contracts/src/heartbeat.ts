// Worker presence: observability only, never a reason to decide a job's fate (docs/protocol.md#heartbeats).
import { z } from 'zod';
import { Instant } from './time.ts';

export const WorkerHeartbeat = z.looseObject({
  service: z.string(),
  jobType: z.string(),
  instanceId: z.string(),
  timestamp: Instant,
  concurrency: z.int().min(0).optional(),
  version: z.string().optional(),
  /** Ids of the jobs being worked on now. */
  activeJobs: z.array(z.string()).optional(),
});
export type WorkerHeartbeat = z.infer<typeof WorkerHeartbeat>;

export const DEFAULT_HEARTBEAT_INTERVAL_MS = 10_000;
