-- How many texts of errors have a text in them, and how many jobs have one of these. The subquery hides the pattern from the
-- planner, which would otherwise plan again for each.
-- $1 pattern that trigrams can find, or $2 one that they cannot  $3 texts looked at
select count(*) as texts, coalesce(sum(count), 0)::bigint as jobs
from (
  select count
  from job_errors
  where ($1::text is null or lowered like (select lower($1)))
    and ($2::text is null or lowered || '' like (select lower($2)))
  limit $3
) as matching
