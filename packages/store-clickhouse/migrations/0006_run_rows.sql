-- One row per job of each history: what its events come to. Written by materialized views only; of several rows of a job the
-- one with the greatest sequence counts. Read it through the view runs.
CREATE TABLE IF NOT EXISTS run_rows
(
    generation UInt32 CODEC(ZSTD(1)),
    first_month UInt32 COMMENT 'Month (yyyymm) in which the stream stored the job''s first event: keeps a job''s rows in one partition' CODEC(ZSTD(1)),
    stored_on Date COMMENT 'Day on which the stream stored the job''s last event' CODEC(Delta(2), ZSTD(1)),
    last_sequence UInt64 CODEC(Delta(8), ZSTD(1)),
    service LowCardinality(String) CODEC(ZSTD(1)),
    job_type LowCardinality(String) CODEC(ZSTD(1)),
    job_id String CODEC(ZSTD(1)),
    state LowCardinality(String) CODEC(ZSTD(1)),
    created_at DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    queued_at DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    queued_known Bool COMMENT 'The run begins with an event that says when it was asked for' CODEC(ZSTD(1)),
    first_started_at Nullable(DateTime64(3, 'UTC')) CODEC(Delta(8), ZSTD(1)),
    last_started_at Nullable(DateTime64(3, 'UTC')) CODEC(Delta(8), ZSTD(1)),
    ended_at Nullable(DateTime64(3, 'UTC')) CODEC(Delta(8), ZSTD(1)),
    attempts UInt32 CODEC(ZSTD(1)),
    attempt_ms Array(UInt64) CODEC(ZSTD(1)),
    reruns UInt32 CODEC(ZSTD(1)),
    error String CODEC(ZSTD(1)),
    error_class LowCardinality(String) CODEC(ZSTD(1)),
    ended_by_kind LowCardinality(String) CODEC(ZSTD(1)),
    ended_by String CODEC(ZSTD(1)),
    reason String CODEC(ZSTD(1)),
    instance_id LowCardinality(String) CODEC(ZSTD(1)),
    worker_version LowCardinality(String) CODEC(ZSTD(1)),
    key String CODEC(ZSTD(1)),
    key_hash String CODEC(ZSTD(1)),
    trace_id String CODEC(ZSTD(1)),
    request_id String CODEC(ZSTD(1)),
    head_missing Bool CODEC(ZSTD(1)),
    events UInt32 CODEC(ZSTD(1)),
    ignored_events UInt32 CODEC(ZSTD(1)),
    INDEX by_creation created_at TYPE minmax GRANULARITY 1,
    INDEX by_end ended_at TYPE minmax GRANULARITY 1,
    INDEX by_state state TYPE set(16) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(last_sequence)
PARTITION BY (generation, first_month)
ORDER BY (generation, service, job_type, job_id)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1
