-- Writes the heartbeats heard since the last flush and renews the lease of presence. Writes nothing when another owner has the
-- lease. A row with a later heartbeat stays unchanged.
-- $1 epoch · $2 length of the lease in milliseconds · $3 last stream sequence heard · $4 instant up to which presence is correct
-- $5 creation time of the stream · $6 workers as a JSON array, each once
-- Returns one row: whether the caller still holds the lease.
with held as (
  update pipelines
  set position = $3, position_stored_at = $4, stream_created = $5,
      lease_until = clock_timestamp() + $2 * interval '1 millisecond', updated_at = clock_timestamp()
  where name = 'presence' and epoch = $1
  returning name
), written as (
  insert into workers as w (
    service, type, instance_id, status, first_seen_at, last_seen_at, heartbeat_interval_ms, concurrency, version,
    active_jobs, active_job_count
  )
  select r.service, r.type, r."instanceId", r.status, r."firstSeenAt", r."lastSeenAt", r."heartbeatIntervalMs",
         r.concurrency, r.version, r."activeJobs", r."activeJobCount"
  from json_to_recordset($6) as r (
    service text, type text, "instanceId" text, status text, "firstSeenAt" timestamptz, "lastSeenAt" timestamptz,
    "heartbeatIntervalMs" integer, concurrency integer, version text, "activeJobs" text[], "activeJobCount" integer
  )
  where exists (select from held)
  -- One lock order for all writers of these rows.
  order by r.service collate "C", r.type collate "C", r."instanceId" collate "C"
  on conflict (service, type, instance_id) do update
    set status = excluded.status,
        first_seen_at = least(w.first_seen_at, excluded.first_seen_at),
        last_seen_at = excluded.last_seen_at,
        heartbeat_interval_ms = excluded.heartbeat_interval_ms,
        concurrency = excluded.concurrency,
        version = excluded.version,
        active_jobs = excluded.active_jobs,
        active_job_count = excluded.active_job_count,
        updated_at = clock_timestamp()
    where w.last_seen_at <= excluded.last_seen_at
)
select exists (select from held) as held
