-- Renews the lease of a pipeline. Changes no row when another owner has acquired it.
-- $1 pipeline name · $2 epoch · $3 length of the lease in milliseconds
-- Returns no row.
update pipelines
set lease_until = clock_timestamp() + $3 * interval '1 millisecond', updated_at = clock_timestamp()
where name = $1 and epoch = $2
