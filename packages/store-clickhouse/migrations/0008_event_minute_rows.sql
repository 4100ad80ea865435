-- Events per minute and type, added up. Written by a materialized view only. Read it through the view event_minutes.
CREATE TABLE IF NOT EXISTS event_minute_rows
(
    generation UInt32 CODEC(ZSTD(1)),
    stored_on SimpleAggregateFunction(max, Date) COMMENT 'Day on which the stream stored the last of the events' CODEC(Delta(2), ZSTD(1)),
    minute DateTime64(0, 'UTC') CODEC(Delta(8), ZSTD(1)),
    service LowCardinality(String) CODEC(ZSTD(1)),
    job_type LowCardinality(String) CODEC(ZSTD(1)),
    event_type LowCardinality(String) CODEC(ZSTD(1)),
    events SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY (generation, toYYYYMM(stored_on))
ORDER BY (generation, service, job_type, event_type, minute)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1
