-- How many messages are in quarantine, counted no further than $1, and how many of these came within $2 milliseconds.
select count(*) as size,
  count(*) filter (where quarantined_at > now() - $2::float8 * interval '1 millisecond') as recent
from (
  select quarantined_at
  from quarantine
  order by stream_created desc, sequence desc
  limit $1
) as newest
