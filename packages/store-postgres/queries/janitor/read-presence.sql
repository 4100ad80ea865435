-- Whether a replica maintains worker presence now and presence is recent.
-- $1 greatest age of presence in milliseconds
-- Returns no row when presence was never stored.
select lease_until > clock_timestamp()
       and position_stored_at > clock_timestamp() - $1 * interval '1 millisecond' as kept
from pipelines
where name = 'presence'
