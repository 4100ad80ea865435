-- The minutes added up by the hour: what a question over days has to read. What was counted so far is taken over.
CREATE OR REPLACE TABLE hour_rows
(
    generation UInt32 CODEC(ZSTD(1)),
    stored_on SimpleAggregateFunction(max, Date) COMMENT 'Day on which the stream stored the last of the ending events' CODEC(Delta(2), ZSTD(1)),
    last_sequence SimpleAggregateFunction(max, UInt64) COMMENT 'Greatest sequence in JOBS of the jobs when they were counted: tells whether a block has arrived here' CODEC(Delta(8), ZSTD(1)),
    hour DateTime64(0, 'UTC') CODEC(Delta(8), ZSTD(1)),
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
ORDER BY (generation, hour, service, job_type, outcome)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1
AS SELECT
    generation, stored_on, last_sequence, toStartOfHour(minute) AS hour, service, job_type, outcome, jobs, attempts, ran, run_ms_sum,
    waited, wait_ms_sum, run_ms_sketch, wait_ms_sketch
FROM minute_rows
