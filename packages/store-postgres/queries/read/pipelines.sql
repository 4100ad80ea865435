-- How far each pipeline that writes here has come, how long ago the stream stored that, and whether somebody owns it.
select name, position, position_stored_at, lease_until > now() as owned,
  (extract(epoch from clock_timestamp() - position_stored_at) * 1000)::float8 as stored_ms_ago
from pipelines
order by name
