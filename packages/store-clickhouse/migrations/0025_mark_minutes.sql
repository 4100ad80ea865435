-- As before, with the mark that tells whether a block has arrived.
ALTER TABLE count_minutes MODIFY QUERY
SELECT
    generation, end_stored_on AS stored_on, max(last_sequence) AS last_sequence,
    toStartOfMinute(assumeNotNull(ended_at)) AS minute, service, job_type, outcome,
    count() AS jobs, sum(toUInt64(attempts)) AS attempts,
    countIf(notEmpty(attempt_ms)) AS ran, sum(run_ms) AS run_ms_sum,
    countIf(wait_known) AS waited, sumIf(wait_ms, wait_known) AS wait_ms_sum,
    quantilesBFloat16StateIf(0.5, 0.95, 0.99)(run_ms, notEmpty(attempt_ms)) AS run_ms_sketch,
    quantilesBFloat16StateIf(0.5, 0.95, 0.99)(wait_ms, wait_known) AS wait_ms_sketch
FROM (
    SELECT *, arraySum(attempt_ms) AS run_ms, queued_known AND first_started_at IS NOT NULL AS wait_known,
        if(wait_known, greatest(0, dateDiff('millisecond', queued_at, assumeNotNull(first_started_at))), 0)::UInt64 AS wait_ms
    FROM run_changes
    WHERE ends_now
)
GROUP BY generation, stored_on, minute, service, job_type, outcome
