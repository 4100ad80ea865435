-- Appends one block of rows to the journal. The columns are in the order in which journal-row.ts writes them.
-- The caller sets insert_deduplication_token and the settings that make an insert exactly-once.
INSERT INTO journal (
    generation, stream_sequence, stored_at, timestamp, service, job_type, job_id, event_type, state, previous_state, tries,
    max_tries, error, request_id, trace_id, traceparent, tracestate, attempt_traceparent, payload, result, progress, logs,
    concurrency, queue_policy, deadline, instance_id, worker_version, work_sequence, handed_back, actor_kind, actor_id, reason,
    extra, subject, quarantine_code, quarantine_reason, store_code, body, released
) FORMAT RowBinary
