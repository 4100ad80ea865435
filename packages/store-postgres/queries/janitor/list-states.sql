-- The states of jobs. Jobs without a row are left out.
-- $1 ids
select id, state
from jobs
where id = any ($1::text[])
