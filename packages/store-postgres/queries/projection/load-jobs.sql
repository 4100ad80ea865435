-- Jobs as the fold needs them: without payload and result, which it only passes on.
-- $1 ids
-- Returns one row for each job that has a row.
select id, service, type, state, tries, max_tries, request_id, trace_id, traceparent, tracestate, created_at, updated_at,
       started_at, completed_at, deadline, cancel_requested_at, last_error, instance_id, progress, concurrency, queue_policy,
       head_missing, handed_back, origin_sequence, origin_at, first_sequence, last_sequence
from jobs
where id = any ($1::text[])
