-- Renews the lease of a pass. Changes no row when another owner has started a pass.
-- $1 duty · $2 epoch · $3 length of the lease in milliseconds
-- Returns no row.
update janitor_passes
set lease_until = clock_timestamp() + $3 * interval '1 millisecond'
where duty = $1 and epoch = $2
