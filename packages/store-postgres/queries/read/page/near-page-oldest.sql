-- The part of a page that is among the oldest $5 jobs. It is the whole page when most jobs match.
-- $1 type · $2 states (any of) · $3 $4 after this created_at and id · $5 jobs examined · $6 limit · $7 offset
select id, created_at
from (
  select id, created_at, type, state
  from jobs
  where ($3::timestamptz is null or (created_at, id) > ($3, $4::text))
  order by created_at asc, id asc
  limit $5
) as nearest
where ($1::text is null or type = $1)
  and ($2::text[] is null or state = any ($2))
order by created_at asc, id asc
limit $6 offset $7
