-- One page of jobs, oldest first, for filters that no single index has in order: merges the oldest jobs of each slice
-- (service, type, state) that has jobs. Costs slices × page, whatever the size of the table.
-- $1 service · $2 type · $3 states (any of) · $4 $5 after this created_at and id · $6 limit · $7 offset
select found.id, found.created_at
from (
  select service, type, state
  from job_counts
  where count > 0
    and ($1::text is null or service = $1)
    and ($2::text is null or type = $2)
    and ($3::text[] is null or state = any ($3))
) as slices
cross join lateral (
  select id, created_at
  from jobs
  where jobs.service = slices.service
    and jobs.type = slices.type
    and jobs.state = slices.state
    and ($4::timestamptz is null or (created_at, id) > ($4, $5::text))
  order by created_at asc, id asc
  limit $6::bigint + $7::bigint
) as found
order by created_at asc, id asc
limit $6 offset $7
