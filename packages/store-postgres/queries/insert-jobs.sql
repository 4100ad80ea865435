-- Writes jobs that have no row yet.
-- $1 rows as a JSON array, sorted by id (see job-row.ts); a row whose id has come in meanwhile is left as it is
insert into jobs (
  id, service, type, state, tries, max_tries, request_id, trace_id, traceparent, tracestate, created_at, updated_at,
  started_at, completed_at, deadline, cancel_requested_at, last_error, instance_id, payload, payload_bytes, result,
  progress, concurrency, queue_policy, head_missing, handed_back, origin_sequence, origin_at, first_sequence, last_sequence
)
select
  id, service, type, state, tries, max_tries, request_id, trace_id, traceparent, tracestate, created_at, updated_at,
  started_at, completed_at, deadline, cancel_requested_at, last_error, instance_id, coalesce(payload, 'null'), payload_bytes,
  case result_change when 'set' then coalesce(result, 'null') end,
  progress, concurrency, queue_policy, head_missing, handed_back, origin_sequence, origin_at, first_sequence, last_sequence
from json_to_recordset($1) as r (
  id text, service text, type text, state text, tries integer, max_tries integer, request_id text, trace_id text,
  traceparent text, tracestate text, created_at timestamptz, updated_at timestamptz, started_at timestamptz,
  completed_at timestamptz, deadline timestamptz, cancel_requested_at timestamptz, last_error text, instance_id text,
  payload jsonb, payload_bytes integer, result jsonb, result_change text, progress jsonb, concurrency jsonb,
  queue_policy jsonb, head_missing boolean, handed_back boolean, origin_sequence bigint, origin_at timestamptz,
  first_sequence bigint, last_sequence bigint
)
on conflict (id) do nothing
