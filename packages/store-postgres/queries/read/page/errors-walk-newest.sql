-- One page of the jobs whose last error matches a pattern, by a walk over the newest $4 jobs that have an error. Cheaper than a
-- merge when many jobs match. A page that is not full may lack jobs further away. The subquery hides the pattern from the planner,
-- which would otherwise plan each pattern anew.
-- $1 pattern · $2 $3 after this created_at and id · $4 jobs examined · $5 limit · $6 offset
select id, created_at
from (
  select id, created_at, last_error
  from jobs
  where last_error is not null
    and ($2::timestamptz is null or (created_at, id) < ($2, $3::text))
  order by created_at desc, id desc
  limit $4
) as nearest
where last_error ilike (select $1)
order by created_at desc, id desc
limit $5 offset $6
