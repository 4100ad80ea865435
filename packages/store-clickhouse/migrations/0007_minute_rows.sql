-- Ends of execution per minute, added up. Written by a materialized view only. Read it through the view minutes.
CREATE TABLE IF NOT EXISTS minute_rows
(
    generation UInt32 CODEC(ZSTD(1)),
    stored_on SimpleAggregateFunction(max, Date) COMMENT 'Day on which the stream stored the last of the ending events' CODEC(Delta(2), ZSTD(1)),
    minute DateTime64(0, 'UTC') CODEC(Delta(8), ZSTD(1)),
    service LowCardinality(String) CODEC(ZSTD(1)),
    job_type LowCardinality(String) CODEC(ZSTD(1)),
    outcome LowCardinality(String) CODEC(ZSTD(1)),
    jobs SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    attempts SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    ran SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    run_ms_sum SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    waited SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    wait_ms_sum SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    run_ms_sketch AggregateFunction(quantilesBFloat16(0.5, 0.95, 0.99), UInt64) CODEC(ZSTD(1)),
    wait_ms_sketch AggregateFunction(quantilesBFloat16(0.5, 0.95, 0.99), UInt64) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY (generation, toYYYYMM(stored_on))
ORDER BY (generation, service, job_type, outcome, minute)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1
