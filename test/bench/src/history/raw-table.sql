-- The same events in a simple table: in the order of the stream, with plain types.
CREATE TABLE raw_events
ENGINE = MergeTree
ORDER BY stream_sequence
AS SELECT
    stream_sequence, stored_at, timestamp, toString(service) AS service, toString(job_type) AS job_type, job_id,
    toString(event_type) AS event_type, toString(state) AS state, tries, max_tries, error, request_id, trace_id, traceparent,
    attempt_traceparent, payload, result, progress, logs, toString(instance_id) AS instance_id,
    toString(worker_version) AS worker_version, work_sequence
FROM journal
