-- Blocks come in the order of time. With the hour first, their parts lie side by side, so that reading has nothing to merge;
-- within the hour a queue's rows stay together, and pieces are small enough that a question for one queue skips the others. What was
-- counted so far is taken over.
CREATE OR REPLACE TABLE minute_rows
(
    generation UInt32 CODEC(ZSTD(1)),
    stored_on SimpleAggregateFunction(max, Date) COMMENT 'Day on which the stream stored the last of the ending events' CODEC(Delta(2), ZSTD(1)),
    last_sequence SimpleAggregateFunction(max, UInt64) COMMENT 'Greatest sequence in JOBS of the jobs when they were counted: tells whether a block has arrived here' CODEC(Delta(8), ZSTD(1)),
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
ORDER BY (generation, toStartOfHour(minute), service, job_type, outcome, minute)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1
AS SELECT
    generation, stored_on, 0 AS last_sequence, minute, service, job_type, outcome, jobs, attempts, ran, run_ms_sum, waited, wait_ms_sum,
    run_ms_sketch, wait_ms_sketch
FROM minute_rows
