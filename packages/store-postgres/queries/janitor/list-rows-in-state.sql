-- One page of the jobs in one state that were created before an instant, oldest first.
-- $1 state, not `completed` · $2 created before · $3 $4 after this created_at and id · $5 page size
select id, service, type, state, created_at, updated_at, deadline, instance_id, concurrency,
       head_missing, origin_at, origin_sequence, first_sequence, last_sequence
from jobs
where state = $1
  and state <> 'completed'
  and created_at < $2
  and ($3::timestamptz is null or (created_at, id) > ($3, $4::text))
order by created_at, id
limit $5
