-- The latest run of each job is the job's row. Errors that differ in numbers, ids or quoted parts are one class.
CREATE MATERIALIZED VIEW IF NOT EXISTS keep_runs TO run_rows AS
SELECT
    generation, first_month, stored_on, last_sequence, service, job_type, job_id, state, created_at, queued_at, queued_known,
    first_started_at, last_started_at, ended_at, attempts, attempt_ms, reruns, error,
    left(replaceRegexpAll(replaceRegexpAll(error,
        '"[^"]*"|`[^`]*`|\\B''[^'']*''', '?'),
        '[A-Za-z0-9_-]*[0-9][A-Za-z0-9_-]*', '#'), 200) AS error_class,
    ended_by_kind, ended_by, reason, instance_id, worker_version, key, key_hash, trace_id, request_id, head_missing, events,
    ignored_events
FROM run_changes
WHERE is_latest
