-- One page of the services, by name: those with workers, present or gone, and those with jobs that wait for a worker.
-- $1 states in which a job needs a worker · $2 limit · $3 offset
-- Returns at least one row with the number of services; `name` is null when the page is empty.
with waiting as (
  select service, sum(count)::bigint as jobs
  from job_counts
  where state = any ($1)
  group by service
  having sum(count) > 0
), services as (
  select service from workers
  union
  select service from waiting
)
select counted.total, page.service as name, page.jobs as open_jobs
from (select count(*) as total from services) as counted
left join lateral (
  select services.service, coalesce(waiting.jobs, 0) as jobs
  from services
  left join waiting on waiting.service = services.service
  order by services.service
  limit $2 offset $3
) as page on true
order by page.service
