-- The jobs of one page as one text, and what the page says of itself.
-- In front of it goes: with shown as (see read-shown-jobs.sql)
-- $1 jobs on the page: one more tells whether others follow
select max(count) as count, count(id) as read,
  string_agg(json, ',' order by place) filter (where id is not null and place <= $1) as jobs,
  max(id) filter (where place = $1) as last_id,
  max(created_at) filter (where place = $1) as last_created_at
from shown
