-- The jobs of one page as one JSON text, with the number of matches and the place of the last job.
-- Needs in front of it: with shown as (see ../shown-jobs.sql)
-- $1 page size; one more job shows that others follow
-- Returns one row.
select max(count) as count, count(id) as read,
  string_agg(json, ',' order by place) filter (where id is not null and place <= $1) as jobs,
  max(id) filter (where place = $1) as last_id,
  max(created_at) filter (where place = $1) as last_created_at
from shown
