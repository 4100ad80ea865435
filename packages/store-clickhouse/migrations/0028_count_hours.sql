-- What an inserted block adds to minutes is added to their hours in the same insert. Inside the view minute_rows is what the
-- block adds.
CREATE MATERIALIZED VIEW IF NOT EXISTS count_hours TO hour_rows AS
SELECT
    generation, stored_on, max(last_sequence) AS last_sequence, toStartOfHour(minute) AS hour, service, job_type, outcome,
    sum(jobs) AS jobs, sum(attempts) AS attempts, sum(ran) AS ran, sum(run_ms_sum) AS run_ms_sum,
    sum(waited) AS waited, sum(wait_ms_sum) AS wait_ms_sum,
    quantilesBFloat16MergeState(0.5, 0.95, 0.99)(run_ms_sketch) AS run_ms_sketch,
    quantilesBFloat16MergeState(0.5, 0.95, 0.99)(wait_ms_sketch) AS wait_ms_sketch
FROM minute_rows
GROUP BY generation, stored_on, hour, service, job_type, outcome
