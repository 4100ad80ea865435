-- The journal: one row per message of the JOBS stream, either a lifecycle event (quarantine_code is '') or what could not
-- be read as one. Both in one table, so that one insert with one deduplication token makes a whole block exactly once.
-- Read it through the views: former generations stay here until they are dropped.
CREATE TABLE IF NOT EXISTS journal
(
    generation UInt32 COMMENT 'Which history of the stream: the greatest one in generations is current' CODEC(ZSTD(1)),
    stream_sequence UInt64 COMMENT 'Sequence of the message in JOBS' CODEC(Delta(8), ZSTD(1)),
    stored_at DateTime64(3, 'UTC') COMMENT 'When the stream stored it' CODEC(Delta(8), ZSTD(1)),
    timestamp DateTime64(3, 'UTC') COMMENT 'What the event says; stored_at where that lies outside 1900 to 2299 (then extra.timestamp has it)' CODEC(Delta(8), ZSTD(1)),
    service LowCardinality(String) COMMENT 'Owner of the queue' CODEC(ZSTD(1)),
    job_type LowCardinality(String) COMMENT 'The queue' CODEC(ZSTD(1)),
    job_id String COMMENT 'The job, unique over all services' CODEC(ZSTD(1)),
    event_type LowCardinality(String) COMMENT 'created, started, completed, …' CODEC(ZSTD(1)),
    state LowCardinality(String) COMMENT 'State that the publisher says the event leads to' CODEC(ZSTD(1)),
    previous_state LowCardinality(String) COMMENT 'State that the publisher believed in; informational, may be wrong' CODEC(ZSTD(1)),
    tries UInt32 COMMENT 'Attempts, as the publisher counts' CODEC(ZSTD(1)),
    max_tries Nullable(UInt32) COMMENT 'On created and retried' CODEC(ZSTD(1)),
    error String COMMENT 'What went wrong' CODEC(ZSTD(1)),
    request_id String COMMENT 'Request that the job belongs to' CODEC(ZSTD(1)),
    trace_id String COMMENT 'Trace that the job belongs to, 32 hexadecimal digits' CODEC(ZSTD(1)),
    traceparent String COMMENT 'W3C traceparent of the job''s creation' CODEC(ZSTD(1)),
    tracestate String COMMENT 'W3C tracestate' CODEC(ZSTD(1)),
    payload String COMMENT 'JSON exactly as published; empty: absent' CODEC(ZSTD(1)),
    result String COMMENT 'JSON exactly as published; empty: absent' CODEC(ZSTD(1)),
    progress String COMMENT 'JSON exactly as published; empty: absent' CODEC(ZSTD(1)),
    logs String COMMENT 'JSON array of {timestamp, level, message}; empty: absent' CODEC(ZSTD(1)),
    concurrency String COMMENT 'JSON exactly as published; empty: absent' CODEC(ZSTD(1)),
    queue_policy String COMMENT 'JSON exactly as published; empty: absent' CODEC(ZSTD(1)),
    deadline Nullable(DateTime64(3, 'UTC')) COMMENT 'NULL: none, or outside 1900 to 2299 (then extra.deadline has it)' CODEC(ZSTD(1)),
    instance_id LowCardinality(String) COMMENT 'Worker instance' CODEC(ZSTD(1)),
    work_sequence Nullable(UInt64) COMMENT 'Message of JOBS_WORK' CODEC(ZSTD(1)),
    handed_back Bool COMMENT 'A host that shut down gave the started work back' CODEC(ZSTD(1)),
    actor_kind LowCardinality(String) COMMENT 'service, operator or janitor' CODEC(ZSTD(1)),
    actor_id String COMMENT 'Who caused it' CODEC(ZSTD(1)),
    reason String COMMENT 'Why, as the actor says' CODEC(ZSTD(1)),
    extra String COMMENT 'JSON object: unknown fields, and odd optional ones, exactly as published; empty: none' CODEC(ZSTD(1)),
    subject String COMMENT 'Quarantined messages only' CODEC(ZSTD(1)),
    quarantine_code LowCardinality(String) COMMENT 'Empty: a lifecycle event' CODEC(ZSTD(1)),
    quarantine_reason String COMMENT 'Names the field and what was expected' CODEC(ZSTD(1)),
    store_code LowCardinality(String) COMMENT 'SQLSTATE with which Postgres would refuse the content' CODEC(ZSTD(1)),
    body String COMMENT 'Quarantined messages only: the bytes of the message' CODEC(ZSTD(1)),
    released Bool COMMENT 'The message was in the quarantine first' CODEC(ZSTD(1)),
    INDEX by_trace trace_id TYPE bloom_filter(0.01) GRANULARITY 2,
    INDEX by_request request_id TYPE bloom_filter(0.01) GRANULARITY 2,
    INDEX by_time timestamp TYPE minmax GRANULARITY 1,
    INDEX by_sequence stream_sequence TYPE minmax GRANULARITY 1,
    INDEX by_quarantine quarantine_code TYPE set(4) GRANULARITY 1,
    INDEX by_release released TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
-- Never by a time out of a body: one block of poisoned times would be refused whole.
PARTITION BY (generation, toYYYYMM(stored_at))
-- Job ids are ULIDs by default and so sort by time: this order serves a job's history and a service's window alike.
ORDER BY (service, job_type, job_id, stream_sequence)
-- How many blocks back a repeated insert is recognised by its token.
SETTINGS non_replicated_deduplication_window = 10000
