-- The workers that a new owner of presence must know: those that are not gone, and those seen within the last 15 minutes.
select service, type, instance_id, status, first_seen_at, last_seen_at, heartbeat_interval_ms, concurrency, version,
       active_jobs, active_job_count
from workers
where status <> 'gone' or last_seen_at > clock_timestamp() - interval '15 minutes'
