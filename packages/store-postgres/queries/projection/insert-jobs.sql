-- Inserts jobs that have no row yet. A row that was inserted meanwhile under the same id stays unchanged.
-- $1 … $31 one array for each column of r (see job-columns.ts), sorted by id
-- Returns no row.
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
from (
  select
    unnest($1::text[]) as id,
    unnest($2::text[]) as state,
    unnest($3::bigint[]) as tries,
    unnest($4::bigint[]) as max_tries,
    unnest($5::timestamptz[]) as updated_at,
    unnest($6::timestamptz[]) as started_at,
    unnest($7::timestamptz[]) as completed_at,
    unnest($8::timestamptz[]) as deadline,
    unnest($9::timestamptz[]) as cancel_requested_at,
    unnest($10::text[]) as last_error,
    unnest($11::text[]) as instance_id,
    unnest($12::jsonb[]) as payload,
    unnest($13::bigint[]) as payload_bytes,
    unnest($14::jsonb[]) as result,
    unnest($15::text[]) as result_change,
    unnest($16::jsonb[]) as progress,
    unnest($17::jsonb[]) as concurrency,
    unnest($18::jsonb[]) as queue_policy,
    unnest($19::boolean[]) as handed_back,
    unnest($20::bigint[]) as origin_sequence,
    unnest($21::timestamptz[]) as origin_at,
    unnest($22::bigint[]) as last_sequence,
    unnest($23::text[]) as service,
    unnest($24::text[]) as type,
    unnest($25::text[]) as request_id,
    unnest($26::text[]) as trace_id,
    unnest($27::text[]) as traceparent,
    unnest($28::text[]) as tracestate,
    unnest($29::timestamptz[]) as created_at,
    unnest($30::boolean[]) as head_missing,
    unnest($31::bigint[]) as first_sequence
) as r
on conflict (id) do nothing
