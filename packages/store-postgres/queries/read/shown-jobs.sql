-- The jobs of a page as JSON in the form of the RPCs. Callers get it unchanged: reading a row into values and encoding them again
-- would cost more than everything else. Null fields are left out. The id, the service and the type are subject tokens, which need
-- no escapes. A payload of more than $3 bytes becomes {"$omitted": bytes} unless $1 is true.
-- Needs in front of it: with found as (count, place, every column of jobs); `id` is null when the page has no job
-- $1 whole payload? · $2 result? · $3 bytes up to which a payload is shown · $4 characters of the error
-- $5 number of log lines: the newest, in the order in which they were written
select count, place, id, created_at, concat(
  '{"id":"' || id || '","service":"' || service || '","type":"' || type || '","state":"' || state
    || '","context":{"requestId":' || to_json(request_id)::text || ',"traceId":' || to_json(trace_id)::text
    || ',"traceparent":' || to_json(traceparent)::text,
  ',"tracestate":' || to_json(tracestate)::text,
  '},"createdAt":"' || to_char(created_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
    || '","updatedAt":"' || to_char(updated_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
    || '","tries":' || tries || ',"maxTries":' || max_tries || ',"payload":',
  case when $1::boolean or payload_bytes <= $3 then payload else jsonb_build_object('$omitted', payload_bytes) end,
  case when $2::boolean then ',"result":' || result::text end,
  ',"startedAt":"' || to_char(started_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') || '"',
  ',"completedAt":"' || to_char(completed_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') || '"',
  ',"lastError":' || to_json(case when length(last_error) > $4 then left(last_error, $4) || '…' else last_error end)::text,
  ',"deadline":"' || to_char(deadline, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') || '"',
  ',"progress":' || progress::text,
  case when $5 > 0 and exists (select from job_logs where job_id = found.id) then ',"logs":' || (
    select json_agg(
      json_build_object(
        'timestamp', to_char(logged_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'level', level, 'message', message
      ) order by sequence, line
    )
    from (
      select sequence, line, logged_at, level, message
      from job_logs
      where job_id = found.id
      order by sequence desc, line desc
      limit $5
    ) as newest
  )::text end,
  ',"concurrency":' || (concurrency - 'slotToken')::text,
  ',"queuePolicy":' || queue_policy::text,
  ',"cancelRequestedAt":"' || to_char(cancel_requested_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') || '"',
  ',"instanceId":' || to_json(instance_id)::text,
  case when head_missing then ',"headMissing":true' end,
  case when state = 'active' and exists (
    select from workers
    where workers.service = found.service
      and workers.type = found.type
      and workers.instance_id = found.instance_id
      and status = 'gone'
  ) then ',"workerLost":true' end,
  '}'
) as json
from found
