-- For how many seconds the longest waiting pending job of each queue has waited; 0 when none waits. Examines the jobs that were
-- created first, because no index has the start of a run.
-- $1 jobs examined for each queue
-- Returns one row for each queue.
select counts.service, counts.type, coalesce(extract(epoch from now() - waiting.since), 0)::float8 as age
from job_counts as counts
left join lateral (
  select min(first.origin_at) as since
  from (
    select origin_at
    from jobs
    where service = counts.service and type = counts.type and state = 'pending' and counts.count > 0
    order by created_at, id
    limit $1
  ) as first
) as waiting on true
where counts.state = 'pending'
order by counts.service, counts.type
