-- Writes jobs that have a row. Bodies that did not change are not sent, so that they stay where they are on disk.
-- $1 rows as a JSON array, sorted by id (see job-row.ts); only a row that is older is changed
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
    payload = case when r.payload_bytes is null then jobs.payload else coalesce(r.payload, 'null') end,
    payload_bytes = coalesce(r.payload_bytes, jobs.payload_bytes),
    result = case r.result_change when 'set' then coalesce(r.result, 'null') when 'clear' then null else jobs.result end,
    progress = r.progress,
    concurrency = r.concurrency,
    queue_policy = r.queue_policy,
    handed_back = r.handed_back,
    origin_sequence = r.origin_sequence,
    origin_at = r.origin_at,
    last_sequence = r.last_sequence
from json_to_recordset($1) as r (
  id text, state text, tries integer, max_tries integer, updated_at timestamptz, started_at timestamptz,
  completed_at timestamptz, deadline timestamptz, cancel_requested_at timestamptz, last_error text, instance_id text,
  payload jsonb, payload_bytes integer, result jsonb, result_change text, progress jsonb, concurrency jsonb,
  queue_policy jsonb, handed_back boolean, origin_sequence bigint, origin_at timestamptz, last_sequence bigint
)
where jobs.id = r.id and jobs.last_sequence < r.last_sequence
