-- One page of jobs, oldest first. Walks an index in the order of the page where the filter allows it. The bounds on created_at
-- (a job is never updated before it is created) and on the state let the planner use the indexes.
-- $1 service · $2 type · $3 state (one, not `completed`) · $4 states (any of) · $5 updated since · $6 updated before · $7 trace id
-- $8 request id · $9 concurrency key · $10 pattern of the last error · $11 $12 after this created_at and id · $13 limit · $14 offset
select *
from jobs
where ($1::text is null or service = $1)
  and ($2::text is null or type = $2)
  and ($3::text is null or (state = $3 and state <> 'completed'))
  and ($4::text[] is null or state = any ($4))
  and ($5::timestamptz is null or updated_at >= $5)
  and ($6::timestamptz is null or (updated_at < $6 and created_at < $6))
  and ($7::text is null or trace_id = $7)
  and ($8::text is null or request_id = $8)
  and ($9::text is null or (concurrency is not null and concurrency ->> 'key' = $9))
  and ($10::text is null or last_error ilike $10)
  and ($11::timestamptz is null or (created_at, id) > ($11, $12::text))
order by created_at asc, id asc
limit $13 offset $14
