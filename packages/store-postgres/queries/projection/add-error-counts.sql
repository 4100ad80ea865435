-- Adds to the number of jobs that have each text of an error.
-- $1 texts, each once · $2 by how much their numbers change
insert into job_errors as e (id, lowered, count)
select md5(error)::uuid, lower(error), delta
from unnest($1::text[], $2::bigint[]) as r (error, delta)
on conflict (id) do update set count = e.count + excluded.count
