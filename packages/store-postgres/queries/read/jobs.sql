-- The jobs of a page in its order, with the number of matches (see page/page-of-ids.sql). `id` is null for jobs that are gone
-- and for an empty page. A payload of more than $4 bytes becomes {"$omitted": bytes} unless $2 is true.
-- Needs in front of it: with page as (count, id, place)
-- $1 states (any of) · $2 whole payload? · $3 result? · $4 bytes up to which a payload is shown · $5 characters of the error
-- $6 number of log lines: the newest, in the order in which they were written
select page.count, jobs.id, service, type, state, tries, max_tries, request_id, trace_id, traceparent, tracestate,
  jobs.created_at, updated_at, started_at, completed_at, deadline, cancel_requested_at,
  case when length(last_error) > $5 then left(last_error, $5) || '…' else last_error end as last_error,
  instance_id, progress, concurrency, queue_policy, head_missing, handed_back,
  origin_sequence, origin_at, first_sequence, last_sequence,
  case when $2::boolean or payload_bytes <= $4 then payload else jsonb_build_object('$omitted', payload_bytes) end as payload,
  case when $3::boolean then result end as result,
  $3::boolean and result is not null as has_result,
  state = 'active' and exists (
    select from workers
    where workers.service = jobs.service
      and workers.type = jobs.type
      and workers.instance_id = jobs.instance_id
      and status = 'gone'
  ) as worker_lost,
  case when $6 > 0 then (
    select json_agg(json_build_array(logged_at, level, message) order by sequence, line)
    from (
      select sequence, line, logged_at, level, message
      from job_logs
      where job_id = jobs.id
      order by sequence desc, line desc
      limit $6
    ) as newest
  ) end as logs
from page
left join jobs on jobs.id = page.id
where ($1::text[] is null or state = any ($1))
order by page.place
