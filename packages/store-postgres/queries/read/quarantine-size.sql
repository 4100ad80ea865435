-- The number of quarantined messages, counted up to a limit, and how many of these are recent.
-- $1 the limit · $2 milliseconds within which a message is recent
-- Returns one row.
select count(*) as size,
  count(*) filter (where quarantined_at > now() - $2::float8 * interval '1 millisecond') as recent
from (
  select quarantined_at
  from quarantine
  order by stream_created desc, sequence desc
  limit $1
) as newest
