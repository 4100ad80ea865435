-- Whether somebody keeps worker presence now and it is right as of lately. Returns no row when it was never kept.
-- $1 how old it may be, in milliseconds
select lease_until > clock_timestamp()
       and position_stored_at > clock_timestamp() - $1 * interval '1 millisecond' as kept
from pipelines
where name = 'presence'
