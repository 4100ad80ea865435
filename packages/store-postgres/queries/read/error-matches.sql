-- How many error texts match a pattern, and how many jobs have one of these errors. The subquery hides the pattern from the
-- planner, which would otherwise plan each pattern anew.
-- $1 pattern that a trigram index can find, or $2 pattern that it cannot · $3 most texts counted
-- Returns one row.
select count(*) as texts, coalesce(sum(count), 0)::bigint as jobs
from (
  select count
  from job_errors
  where ($1::text is null or lowered like (select lower($1)))
    and ($2::text is null or lowered || '' like (select lower($2)))
  limit $3
) as matching
