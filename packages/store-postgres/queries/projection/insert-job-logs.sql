-- Inserts log lines. Lines that exist stay unchanged.
-- $1 rows as a JSON array
-- Returns no row.
insert into job_logs (job_id, sequence, line, logged_at, level, message)
select job_id, sequence, line, logged_at, level, message
from json_to_recordset($1) as r (
  job_id text, sequence bigint, line integer, logged_at timestamptz, level text, message text
)
on conflict do nothing
