-- The jobs of one page, newest first, whose last error has a text in it: the newest of each such error, merged. Costs errors × page.
-- $1 pattern  $2 $3 after this created_at and id  $4 limit  $5 offset
select found.id, found.created_at
from (select id from job_errors where lowered like lower($1)) as errors
cross join lateral (
  select id, created_at
  from jobs
  where last_error is not null
    and md5(last_error)::uuid = errors.id
    and ($2::timestamptz is null or (created_at, id) < ($2, $3::text))
  order by created_at desc, id desc
  limit $4::bigint + $5::bigint
) as found
order by created_at desc, id desc
limit $4 offset $5
