-- The events of one job in the current generation, in stream order.
-- Parameters: service, type, id, after (stream sequence; only later events), limit.
SELECT
    stream_sequence AS sequence,
    toUnixTimestamp64Milli(stored_at) AS storedAt,
    toUnixTimestamp64Milli(timestamp) AS at,
    event_type AS eventType, state, previous_state AS previousState, tries, max_tries AS maxTries, error,
    request_id AS requestId, trace_id AS traceId, traceparent, tracestate, attempt_traceparent AS attemptTraceparent,
    payload, result, progress, logs, concurrency, queue_policy AS queuePolicy,
    toUnixTimestamp64Milli(deadline) AS deadline,
    instance_id AS instanceId, worker_version AS workerVersion, work_sequence AS workSequence, handed_back AS handedBack,
    actor_kind AS actorKind, actor_id AS actorId, reason, extra
FROM journal
WHERE generation = (SELECT max(generation) FROM generations) AND quarantine_code = ''
  AND service = {service: String} AND job_type = {type: String} AND job_id = {id: String}
  AND stream_sequence > {after: UInt64}
ORDER BY stream_sequence
LIMIT {limit: UInt32}
