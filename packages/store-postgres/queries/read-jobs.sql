-- Jobs by id, in the order of the ids; those that are gone, or no longer in one of the states, are left out.
-- Bodies stay where they are unless asked for: a payload of more than $5 bytes becomes {"$omitted": bytes}.
-- $1 ids  $2 states (any of)  $3 whole payload?  $4 result?  $5 payload bytes shown in any case  $6 characters of the error
select jobs.id, service, type, state, tries, max_tries, request_id, trace_id, traceparent, tracestate,
  created_at, updated_at, started_at, completed_at, deadline, cancel_requested_at,
  case when length(last_error) > $6 then left(last_error, $6) || '…' else last_error end as last_error, instance_id, progress, concurrency, queue_policy, head_missing, handed_back,
  origin_sequence, origin_at, first_sequence, last_sequence,
  case when $3::boolean or payload_bytes <= $5 then payload else jsonb_build_object('$omitted', payload_bytes) end as payload,
  case when $4::boolean then result end as result,
  $4::boolean and result is not null as has_result
from unnest($1::text[]) with ordinality as page (id, place)
join jobs on jobs.id = page.id
where $2::text[] is null or state = any ($2)
order by place
