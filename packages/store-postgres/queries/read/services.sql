-- One page of the services, by name: those that have workers, present or gone, and those whose jobs wait for one. In any
-- case one row with how many services there are; `name` is null where the page is empty.
-- $1 states in which a job wants a worker  $2 limit  $3 offset
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
