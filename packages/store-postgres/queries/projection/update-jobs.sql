-- Updates jobs that have a row. Bodies that did not change are not sent, so that Postgres need not write them again.
-- Changes only rows with an older last_sequence.
-- $1 … $22 one array for each column of r (see job-columns.ts), sorted by id
-- Returns no row.
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
    unnest($22::bigint[]) as last_sequence
) as r
where jobs.id = r.id and jobs.last_sequence < r.last_sequence
