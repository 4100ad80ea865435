-- One page of the jobs whose events all came before a sequence, by first sequence.
-- $1 the sequence · $2 $3 after this first_sequence and id · $4 page size
select id, service, type, state, created_at, updated_at, deadline, instance_id, concurrency,
       head_missing, origin_at, origin_sequence, first_sequence, last_sequence
from jobs
where first_sequence < $1
  and last_sequence < $1
  and ($2::bigint is null or (first_sequence, id) > ($2, $3::text))
order by first_sequence, id
limit $4
