-- The last pass of each janitor duty, and for how many milliseconds the duty is overdue while no replica runs it.
-- Returns one row for each duty, by name.
select duty, finished_at, succeeded_at, error, problems,
  case
    when lease_until > clock_timestamp() then 0
    else greatest(0, extract(epoch from clock_timestamp() - due_at) * 1000)
  end::float8 as overdue_ms
from janitor_passes
order by duty
