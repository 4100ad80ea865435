-- Public: one row per lifecycle event of the present history.
CREATE OR REPLACE VIEW events AS
SELECT
    stream_sequence, stored_at, timestamp, service, job_type, job_id, event_type, state, previous_state, tries, max_tries,
    error, request_id, trace_id, traceparent, tracestate, payload, result, progress, logs, concurrency, queue_policy,
    deadline, instance_id, work_sequence, handed_back, actor_kind, actor_id, reason, extra, released
FROM journal
WHERE generation = (SELECT max(generation) FROM generations) AND quarantine_code = ''
