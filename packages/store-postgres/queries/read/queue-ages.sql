-- For how many seconds the longest waiting pending job of every queue has waited: among the first that were created, since
-- there is no index by the start of a run. 0 where none waits.
-- $1 how many of the first
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
