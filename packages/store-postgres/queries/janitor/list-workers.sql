-- The workers of some job types that are not gone, without their active jobs.
-- $1 services · $2 the type of each
select workers.service, workers.type, workers.instance_id
from workers
join unnest($1::text[], $2::text[]) as wanted (service, type)
  on workers.service = wanted.service and workers.type = wanted.type
where status <> 'gone'
