// A row of the workers table, as all read statements return it, and its conversion to `WorkerPresence`.
import type { Row } from '../connection/open-postgres.ts';
import type { WorkerPresence, WorkerStatus } from './worker-presence.ts';

export interface WorkerRow extends Row {
  service: string;
  type: string;
  instance_id: string;
  status: WorkerStatus;
  first_seen_at: string;
  last_seen_at: string;
  heartbeat_interval_ms: number;
  concurrency: number | null;
  version: string | null;
  active_jobs: string[] | null;
  active_job_count: number | null;
}

export const toPresence = (row: WorkerRow): WorkerPresence => ({
  service: row.service,
  type: row.type,
  instanceId: row.instance_id,
  status: row.status,
  firstSeenAt: row.first_seen_at,
  lastSeenAt: row.last_seen_at,
  heartbeatIntervalMs: row.heartbeat_interval_ms,
  concurrency: row.concurrency ?? undefined,
  version: row.version ?? undefined,
  activeJobs: row.active_jobs ?? undefined,
  activeJobCount: row.active_job_count ?? undefined,
});
