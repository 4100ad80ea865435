-- How far the projection has come, and of which stream. Returns no row when nothing was projected yet.
select position, stream_created
from pipelines
where name = 'current'
