-- The checkpoint of the projection, and the stream that it belongs to. Locks the checkpoint until the transaction ends.
-- Returns no row when nothing was projected yet.
select position, stream_created
from pipelines
where name = 'current'
for update
