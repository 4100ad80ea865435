-- One page of the jobs created before an instant, oldest first, in any state. The cost of a page does not depend on how many of
-- these jobs are kept.
-- $1 created before · $2 $3 after this created_at and id · $4 page size
select id, service, type, state, created_at, updated_at, deadline, instance_id, concurrency,
       head_missing, origin_at, origin_sequence, first_sequence, last_sequence
from jobs
where created_at < $1
  and ($2::timestamptz is null or (created_at, id) > ($2, $3::text))
order by created_at, id
limit $4
