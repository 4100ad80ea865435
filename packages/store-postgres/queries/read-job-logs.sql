-- The newest log lines of each of some jobs, in the order in which they were written.
-- $1 job ids  $2 lines of each job
select job_id, logged_at, level, message
from unnest($1::text[]) as page (id)
cross join lateral (
  select job_id, sequence, line, logged_at, level, message
  from job_logs
  where job_logs.job_id = page.id
  order by sequence desc, line desc
  limit $2
) as newest
order by job_id, sequence, line
