-- How far the projection has come, and of which stream; until the transaction ends it goes no further.
-- Returns no row when nothing was projected yet.
select position, stream_created
from pipelines
where name = 'current'
for update
