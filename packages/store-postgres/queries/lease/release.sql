-- Gives the lease of a pipeline back, so that the next owner need not wait for its end.
-- $1 pipeline name · $2 epoch
update pipelines
set lease_until = clock_timestamp(), updated_at = clock_timestamp()
where name = $1 and epoch = $2
