-- How far each pipeline that writes here is, how many milliseconds ago the stream stored the message at its position, and
-- whether its lease is held.
-- Returns one row for each pipeline, by name.
select name, position, position_stored_at, lease_until > now() as owned,
  (extract(epoch from clock_timestamp() - position_stored_at) * 1000)::float8 as stored_ms_ago
from pipelines
order by name
