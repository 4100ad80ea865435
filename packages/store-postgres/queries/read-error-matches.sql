-- How many texts of errors have a text in them, and how many jobs have one of these.
-- $1 pattern  $2 texts looked at
select count(*) as texts, coalesce(sum(count), 0)::bigint as jobs
from (select count from job_errors where lowered like lower($1) limit $2) as matching
