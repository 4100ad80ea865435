-- One upsert per event: a projection without batches, counters or rules.
-- $1 id  $2 service  $3 type  $4 state  $5 tries  $6 request id  $7 trace id  $8 traceparent  $9 timestamp  $10 payload  $11 sequence
insert into jobs (id, service, type, state, tries, max_tries, request_id, trace_id, traceparent, created_at, updated_at, payload,
  payload_bytes, head_missing, handed_back, origin_sequence, origin_at, first_sequence, last_sequence)
values ($1, $2, $3, $4, $5, 5, $6, $7, $8, $9, $9, coalesce($10::jsonb, 'null'), 0, false, false, $11, $9, $11, $11)
on conflict (id) do update
  set state = excluded.state, tries = excluded.tries, updated_at = excluded.updated_at, last_sequence = excluded.last_sequence
  where jobs.last_sequence < excluded.last_sequence
