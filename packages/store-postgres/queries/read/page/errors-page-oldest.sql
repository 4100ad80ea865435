-- One page of the jobs whose last error matches a pattern, oldest first: merges the oldest jobs of each matching error.
-- Costs errors × page.
-- $1 pattern that a trigram index can find, or $2 pattern that it cannot · $3 $4 after this created_at and id · $5 limit · $6 offset
select found.id, found.created_at
from (
  select id
  from job_errors
  where ($1::text is null or lowered like (select lower($1)))
    and ($2::text is null or lowered || '' like (select lower($2)))
) as errors
cross join lateral (
  select id, created_at
  from jobs
  where md5(last_error)::uuid = errors.id
    and ($3::timestamptz is null or (created_at, id) > ($3, $4::text))
  order by created_at asc, id asc
  limit $5::bigint + $6::bigint
) as found
order by created_at asc, id asc
limit $5 offset $6
