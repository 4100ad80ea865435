-- Adds to the number of jobs that have each error text.
-- $1 texts, each once · $2 change of the number for each
-- Returns no row.
insert into job_errors as e (id, lowered, count)
select md5(error)::uuid, lower(error), delta
from unnest($1::text[], $2::bigint[]) as r (error, delta)
on conflict (id) do update set count = e.count + excluded.count
