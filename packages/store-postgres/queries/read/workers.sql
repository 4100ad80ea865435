-- The workers of some services: live ones first, then the most recently seen. Each row has the number of workers of its service
-- by status, and the time of the service's last heartbeat.
-- $1 services · $2 most workers of each service · $3 most active job ids of each worker
select service, type, instance_id, status, first_seen_at, last_seen_at, heartbeat_interval_ms, concurrency, version,
  active_jobs[1:$3] as active_jobs, active_job_count, live, late, gone, service_seen_at
from (
  select workers.*,
    row_number() over (
      partition by service
      order by array_position(array['live', 'late', 'gone'], status), last_seen_at desc, type, instance_id
    ) as place,
    count(*) filter (where status = 'live') over whole as live,
    count(*) filter (where status = 'late') over whole as late,
    count(*) filter (where status = 'gone') over whole as gone,
    max(last_seen_at) over whole as service_seen_at
  from workers
  where service = any ($1)
  window whole as (partition by service)
) as ranked
where place <= $2
order by service, place
