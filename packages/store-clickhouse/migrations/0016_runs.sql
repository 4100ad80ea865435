-- Public: one row per job of the present history: its latest run, folded from its events as the lifecycle says.
CREATE OR REPLACE VIEW runs
(
    service LowCardinality(String) COMMENT 'Owner of the queue',
    job_type LowCardinality(String) COMMENT 'The queue',
    job_id String COMMENT 'The job; unique over all services',
    state LowCardinality(String) COMMENT 'Where the job stands: pending, active, retry, or the outcome',
    outcome LowCardinality(String) COMMENT 'How it ended: completed, failed, cancelled, expired, skipped, stale, dead, dismissed; empty: it has not',
    created_at DateTime64(3, 'UTC') COMMENT 'When the job was created; its first event when head_missing',
    queued_at DateTime64(3, 'UTC') COMMENT 'When the latest run was asked for: created_at, or the last retried',
    first_started_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the run''s first attempt; NULL: none yet',
    last_started_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Latest start in the run; NULL: none yet',
    ended_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When execution ended (a dismissed job: when it was dead); NULL: it has not',
    wait_ms Nullable(UInt64) COMMENT 'From queued_at to first_started_at, milliseconds; NULL: not started, or unknown when it was asked for',
    attempts UInt32 COMMENT 'Attempts of the run; a start after a hand-back is none of its own. The publisher''s number where it knows of more',
    attempt_ms Array(UInt64) COMMENT 'Time worked in each finished attempt, milliseconds; an attempt whose worker was lost ends with the next start',
    run_ms UInt64 COMMENT 'Sum of attempt_ms',
    total_ms Nullable(UInt64) COMMENT 'From queued_at to ended_at, milliseconds; NULL: not ended, or unknown when it was asked for',
    error String COMMENT 'The job''s last error, also of attempts that were repeated; empty: none',
    error_class String COMMENT 'The error with words that hold digits as #, quoted parts as ?, at most 200 characters',
    ended_by_kind LowCardinality(String) COMMENT 'Who ended or dismissed it: worker, service, operator, janitor; empty: not ended, or not said',
    ended_by String COMMENT 'Which one: the actor''s id, or the worker''s instance',
    reason String COMMENT 'Why, as whoever ended it says',
    instance_id String COMMENT 'Worker instance of the run''s latest start',
    worker_version String COMMENT 'Version of the worker''s software at the run''s latest start; empty: not said',
    reruns UInt32 COMMENT 'How often it was retried or replayed after its end',
    events UInt32 COMMENT 'Events of the job',
    ignored_events UInt32 COMMENT 'Events that changed nothing: too late, repeated, not possible in the state',
    key String COMMENT 'Key of a keyed job, as people read it; empty: none',
    key_hash String COMMENT 'Tells keys apart that look alike',
    trace_id String COMMENT 'Trace that the job was created in',
    request_id String COMMENT 'Request that the job belongs to',
    head_missing Bool COMMENT 'The history does not have the job''s created event',
    last_sequence UInt64 COMMENT 'Place of the job''s last event in the JOBS stream'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    service, job_type, job_id, state, if(state IN ('pending', 'active', 'retry'), '', state) AS outcome, created_at, queued_at,
    first_started_at, last_started_at, ended_at,
    -- Clocks may disagree.
    if(queued_known AND first_started_at IS NOT NULL, greatest(0, dateDiff('millisecond', queued_at, first_started_at)), NULL) AS wait_ms,
    attempts, attempt_ms, arraySum(attempt_ms) AS run_ms,
    if(queued_known AND ended_at IS NOT NULL, greatest(0, dateDiff('millisecond', queued_at, ended_at)), NULL) AS total_ms,
    error, error_class, ended_by_kind, ended_by, reason, instance_id, worker_version, reruns, events, ignored_events, key, key_hash,
    trace_id, request_id, head_missing, last_sequence
FROM run_rows FINAL
WHERE generation = (SELECT max(generation) FROM generations)
