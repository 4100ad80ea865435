-- In the order of time, as minute_rows and for the same reasons.
CREATE OR REPLACE TABLE event_minute_rows
(
    generation UInt32 CODEC(ZSTD(1)),
    stored_on SimpleAggregateFunction(max, Date) COMMENT 'Day on which the stream stored the last of the events' CODEC(Delta(2), ZSTD(1)),
    last_sequence SimpleAggregateFunction(max, UInt64) COMMENT 'Greatest sequence in JOBS of the events: tells whether a block has arrived here' CODEC(Delta(8), ZSTD(1)),
    minute DateTime64(0, 'UTC') CODEC(Delta(8), ZSTD(1)),
    service LowCardinality(String) CODEC(ZSTD(1)),
    job_type LowCardinality(String) CODEC(ZSTD(1)),
    event_type LowCardinality(String) CODEC(ZSTD(1)),
    events SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY (generation, toYYYYMM(stored_on))
ORDER BY (generation, toStartOfHour(minute), service, job_type, event_type, minute)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1
AS SELECT
    generation, stored_on, 0 AS last_sequence, minute, service, job_type, event_type, events
FROM event_minute_rows
