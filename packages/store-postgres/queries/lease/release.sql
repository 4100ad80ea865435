-- Releases the lease of a pipeline, so that the next owner need not wait until it expires.
-- $1 pipeline name · $2 epoch
-- Returns no row.
update pipelines
set lease_until = clock_timestamp(), updated_at = clock_timestamp()
where name = $1 and epoch = $2
