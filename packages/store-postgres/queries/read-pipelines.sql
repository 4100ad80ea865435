-- How far each pipeline that writes here has come, and whether somebody owns it.
select name, position, position_stored_at, lease_until > now() as owned
from pipelines
order by name
