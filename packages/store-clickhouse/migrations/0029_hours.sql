-- Public: ends of execution per hour, queue and outcome: minutes, added up.
CREATE OR REPLACE VIEW hours
(
    hour DateTime64(0, 'UTC') COMMENT 'Hour in which execution ended, by the ending event''s timestamp',
    service LowCardinality(String) COMMENT 'Owner of the queue',
    job_type LowCardinality(String) COMMENT 'The queue',
    outcome LowCardinality(String) COMMENT 'completed, failed, cancelled, expired, skipped, stale, dead',
    jobs UInt64 COMMENT 'Ends of execution; a job that is run again counts once more when it ends again',
    attempts UInt64 COMMENT 'Attempts of the runs that ended',
    ran UInt64 COMMENT 'Runs of which a finished attempt is known: those behind run_ms_…',
    run_ms_sum UInt64 COMMENT 'Time worked, milliseconds',
    run_ms_p50 Nullable(Float64) COMMENT 'Median of the time worked in a run, milliseconds, less than 1 % too low; NULL: none ran',
    run_ms_p95 Nullable(Float64) COMMENT '95th percentile of it',
    run_ms_p99 Nullable(Float64) COMMENT '99th percentile of it',
    waited UInt64 COMMENT 'Runs of which it is known how long they waited: those behind wait_ms_…',
    wait_ms_sum UInt64 COMMENT 'Time from asking for the run to its first start, milliseconds',
    wait_ms_p50 Nullable(Float64) COMMENT 'Median of that time, milliseconds, less than 1 % too low; NULL: none started',
    wait_ms_p95 Nullable(Float64) COMMENT '95th percentile of it',
    wait_ms_p99 Nullable(Float64) COMMENT '99th percentile of it',
    run_ms_sketch AggregateFunction(quantilesBFloat16(0.5, 0.95, 0.99), UInt64) COMMENT 'For quantilesBFloat16Merge(0.5, 0.95, 0.99): the same quantiles over any hours',
    wait_ms_sketch AggregateFunction(quantilesBFloat16(0.5, 0.95, 0.99), UInt64) COMMENT 'For quantilesBFloat16Merge(0.5, 0.95, 0.99)'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    hour, service, job_type, outcome, jobs, attempts, ran, run_ms_sum,
    if(ran = 0, NULL, finalizeAggregation(run_ms_sketch)[1]) AS run_ms_p50,
    if(ran = 0, NULL, finalizeAggregation(run_ms_sketch)[2]) AS run_ms_p95,
    if(ran = 0, NULL, finalizeAggregation(run_ms_sketch)[3]) AS run_ms_p99,
    waited, wait_ms_sum,
    if(waited = 0, NULL, finalizeAggregation(wait_ms_sketch)[1]) AS wait_ms_p50,
    if(waited = 0, NULL, finalizeAggregation(wait_ms_sketch)[2]) AS wait_ms_p95,
    if(waited = 0, NULL, finalizeAggregation(wait_ms_sketch)[3]) AS wait_ms_p99,
    run_ms_sketch, wait_ms_sketch
FROM hour_rows FINAL
WHERE generation = (SELECT max(generation) FROM generations)
