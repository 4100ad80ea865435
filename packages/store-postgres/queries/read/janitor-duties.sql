-- What each duty of the janitor did last, and for how long it has been overdue with nobody working on it.
select duty, finished_at, succeeded_at, error, problems,
  case
    when lease_until > clock_timestamp() then 0
    else greatest(0, extract(epoch from clock_timestamp() - due_at) * 1000)
  end::float8 as overdue_ms
from janitor_passes
order by duty
