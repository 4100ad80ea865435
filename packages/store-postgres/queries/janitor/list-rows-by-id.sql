-- One page of all jobs, by id.
-- $1 after this id · $2 page size
select id, service, type, state, created_at, updated_at, deadline, instance_id, concurrency,
       head_missing, origin_at, origin_sequence, first_sequence, last_sequence
from jobs
where id > $1
order by id
limit $2
