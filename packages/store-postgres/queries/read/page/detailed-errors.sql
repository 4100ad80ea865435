-- Like detailed-page for an error that few jobs have: examines all jobs that have it. `offset 0` is an optimization fence: the
-- planner cannot know how few they are and would choose another index.
-- $1 service · $2 type · $3 state (one, not `completed`) · $4 states (any of) · $5 updated since · $6 updated before · $7 trace id
-- $8 request id · $9 concurrency key · $10 pattern of the last error · $11 most jobs counted · $12 newest first?
-- $13 $14 after this created_at and id · $15 limit · $16 offset
-- Returns at least one row with the count; `id` is null when the page is empty.
with found as materialized (
  select id, created_at, row_at
  from (select id as error_id from job_errors where lowered like lower($10)) as errors
  cross join lateral (select *, ctid as row_at from jobs where md5(last_error)::uuid = error_id offset 0) as having_error
  where ($1::text is null or service = $1)
    and ($2::text is null or type = $2)
    and ($3::text is null or (state = $3 and state <> 'completed'))
    and ($4::text[] is null or state = any ($4))
    and ($5::timestamptz is null or updated_at >= $5)
    and ($6::timestamptz is null or (updated_at < $6 and created_at < $6))
    and ($7::text is null or trace_id = $7)
    and ($8::text is null or request_id = $8)
    and ($9::text is null or (concurrency is not null and concurrency ->> 'key' = $9))
  order by created_at desc, id desc
  limit $11
)
select counted.count, page.id, page.created_at, page.row_at
from (select count(*) as count from found) as counted
left join lateral (
  select id, created_at, row_at
  from found
  where $13::timestamptz is null
    or case when $12::boolean then (created_at, id) < ($13, $14::text) else (created_at, id) > ($13, $14) end
  order by
    case when $12 then created_at end desc,
    case when $12 then id end desc,
    created_at,
    id
  limit $15 offset $16
) as page on true
