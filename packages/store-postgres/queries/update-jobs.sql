-- Writes jobs that have a row. Bodies that did not change are not sent, so that they stay where they are on disk.
-- $1 … $22 an array for each column of r (see job-columns.ts), sorted by id; only a row that is older is changed
update jobs
set state = r.state,
    tries = r.tries,
    max_tries = r.max_tries,
    updated_at = r.updated_at,
    started_at = r.started_at,
    completed_at = r.completed_at,
    deadline = r.deadline,
    cancel_requested_at = r.cancel_requested_at,
    last_error = r.last_error,
    instance_id = r.instance_id,
    payload = case when r.payload_bytes is null then jobs.payload else r.payload end,
    payload_bytes = coalesce(r.payload_bytes, jobs.payload_bytes),
    result = case r.result_change when 'set' then r.result when 'clear' then null else jobs.result end,
    progress = r.progress,
    concurrency = r.concurrency,
    queue_policy = r.queue_policy,
    handed_back = r.handed_back,
    origin_sequence = r.origin_sequence,
    origin_at = r.origin_at,
    last_sequence = r.last_sequence
from unnest(
  $1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[],
  $8::timestamptz[], $9::timestamptz[], $10::text[], $11::text[], $12::jsonb[], $13::bigint[], $14::jsonb[],
  $15::text[], $16::jsonb[], $17::jsonb[], $18::jsonb[], $19::boolean[], $20::bigint[], $21::timestamptz[],
  $22::bigint[]
) as r (
  id, state, tries, max_tries, updated_at, started_at, completed_at, deadline, cancel_requested_at, last_error,
  instance_id, payload, payload_bytes, result, result_change, progress, concurrency, queue_policy, handed_back,
  origin_sequence, origin_at, last_sequence
)
where jobs.id = r.id and jobs.last_sequence < r.last_sequence
