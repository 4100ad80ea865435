-- Which of these workers are known to be gone. Workers that were never seen, or were deleted, are left out.
-- $1 services · $2 the type of each · $3 the instance id of each
select workers.service, workers.type, workers.instance_id
from unnest($1::text[], $2::text[], $3::text[]) as wanted (service, type, instance_id)
join workers
  on workers.service = wanted.service and workers.type = wanted.type and workers.instance_id = wanted.instance_id
where status = 'gone'
