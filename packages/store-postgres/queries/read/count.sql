-- The exact number of jobs by service, type and states. Read from the counters, not from the jobs.
-- $1 service · $2 type · $3 states (any of)
-- Returns one row.
select coalesce(sum(count), 0)::bigint as count
from job_counts
where ($1::text is null or service = $1)
  and ($2::text is null or type = $2)
  and ($3::text[] is null or state = any ($3))
