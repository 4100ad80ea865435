-- Lengthens the lease of a pass; no row is changed when another owner has begun one.
-- $1 duty · $2 epoch · $3 length of the lease in milliseconds
update janitor_passes
set lease_until = clock_timestamp() + $3 * interval '1 millisecond'
where duty = $1 and epoch = $2
