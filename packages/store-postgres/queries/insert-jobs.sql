-- Writes jobs that have no row yet.
-- $1 … $31 an array for each column of r (see job-columns.ts), sorted by id; a row whose id has come in meanwhile is left
-- as it is
insert into jobs (
  id, state, tries, max_tries, updated_at, started_at, completed_at, deadline, cancel_requested_at, last_error,
  instance_id, payload, payload_bytes, result, progress, concurrency, queue_policy, handed_back, origin_sequence,
  origin_at, last_sequence, service, type, request_id, trace_id, traceparent, tracestate, created_at, head_missing,
  first_sequence
)
select
  id, state, tries, max_tries, updated_at, started_at, completed_at, deadline, cancel_requested_at, last_error,
  instance_id, payload, payload_bytes, result, progress, concurrency, queue_policy, handed_back, origin_sequence,
  origin_at, last_sequence, service, type, request_id, trace_id, traceparent, tracestate, created_at, head_missing,
  first_sequence
from unnest(
  $1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[],
  $8::timestamptz[], $9::timestamptz[], $10::text[], $11::text[], $12::jsonb[], $13::bigint[], $14::jsonb[],
  $15::text[], $16::jsonb[], $17::jsonb[], $18::jsonb[], $19::boolean[], $20::bigint[], $21::timestamptz[],
  $22::bigint[], $23::text[], $24::text[], $25::text[], $26::text[], $27::text[], $28::text[], $29::timestamptz[],
  $30::boolean[], $31::bigint[]
) as r (
  id, state, tries, max_tries, updated_at, started_at, completed_at, deadline, cancel_requested_at, last_error,
  instance_id, payload, payload_bytes, result, result_change, progress, concurrency, queue_policy, handed_back,
  origin_sequence, origin_at, last_sequence, service, type, request_id, trace_id, traceparent, tracestate, created_at,
  head_missing, first_sequence
)
on conflict (id) do nothing
