// For tests: presence as the heartbeat aggregator leaves it in the store.
import type { Queryable } from '@trellis/store-postgres';

export interface WorkerFields {
  service: string;
  type?: string;
  instanceId: string;
  status?: 'live' | 'late' | 'gone';
  lastSeenMsAgo?: number;
  version?: string;
  activeJobs?: string[];
}

export async function writeWorkers(store: Queryable, workers: WorkerFields[]): Promise<void> {
  for (const { service, type = 'reserve-inventory', instanceId, status = 'live', ...rest } of workers) {
    const { lastSeenMsAgo = 0, version = '1.2.3', activeJobs } = rest;
    await store.query(
      `insert into workers (service, type, instance_id, status, first_seen_at, last_seen_at, heartbeat_interval_ms,
         concurrency, version, active_jobs, active_job_count)
       values ($1, $2, $3, $4, now() - interval '1 day', now() - $5 * interval '1 millisecond', 1000, 4, $6, $7, $8)`,
      [service, type, instanceId, status, lastSeenMsAgo, version, activeJobs ?? null, activeJobs?.length ?? null],
    );
  }
}

/** @param msAgo presence is right as of so long ago */
export async function writePresenceHeartbeat(store: Queryable, msAgo = 0, leaseMs = 86_400_000): Promise<void> {
  await store.query(
    `insert into pipelines (name, epoch, owner, lease_until, position, position_stored_at)
     values ('presence', 1, 'test', now() + $2 * interval '1 millisecond', 1, now() - $1 * interval '1 millisecond')
     on conflict (name) do update
       set lease_until = excluded.lease_until, position_stored_at = excluded.position_stored_at`,
    [msAgo, leaseMs],
  );
}

export interface PassFields {
  duty: string;
  error?: string;
  problems?: { code: string; message: string }[];
  /** Due since so long ago; negative: due in so long. */
  dueMsAgo?: number;
}

/** What a duty of the janitor leaves behind after a pass. */
export async function writeJanitorPass(
  store: Queryable,
  { duty, error, problems = [], dueMsAgo = -60_000 }: PassFields,
) {
  await store.query(
    `insert into janitor_passes (duty, epoch, owner, lease_until, due_at, started_at, finished_at, duration_ms,
       problems, error, succeeded_at, passes)
     values ($1, 1, 'test', now(), now() - $2 * interval '1 millisecond', now(), now(), 3, $3, $4,
       case when $4::text is null then now() end, 1)
     on conflict (duty) do update
       set due_at = excluded.due_at, problems = excluded.problems, error = excluded.error`,
    [duty, dueMsAgo, JSON.stringify(problems), error ?? null],
  );
}
