-- One page of the open jobs whose deadline has expired, by deadline.
-- $1 now: deadlines before it have expired · $2 $3 after this deadline and id · $4 page size
-- $5 $6 skips jobs whose deadline was before $5 and whose row has not changed since it was projected up to sequence $6
select id, service, type, state, created_at, updated_at, deadline, instance_id, concurrency,
       head_missing, origin_at, origin_sequence, first_sequence, last_sequence
from jobs
where deadline is not null
  and state in ('pending', 'active', 'retry')
  and deadline < $1
  and ($2::timestamptz is null or (deadline, id) > ($2, $3::text))
  and ($5::timestamptz is null or deadline >= $5 or last_sequence > $6)
order by deadline, id
limit $4
