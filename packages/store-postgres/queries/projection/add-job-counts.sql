-- Adds to the number of jobs of each service, type and state.
-- $1 rows as a JSON array: each service, type and state once, sorted
-- Returns no row.
insert into job_counts as c (service, type, state, count)
select service, type, state, delta
from json_to_recordset($1) as r (service text, type text, state text, delta bigint)
on conflict (service, type, state) do update set count = c.count + excluded.count
