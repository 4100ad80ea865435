-- A block of events, five per job, in stream order with the jobs interleaved: message s is event s % 5 of job
-- s / 5 minus the lag of that event. The events of seven in eight jobs are created, started, progress, logged, completed;
-- those of the others created, started, retry, started and then completed, failed or dead. Ids, spans and random parts of
-- payloads are hashes.
-- {from} first message  {count} messages  {jobs} all jobs  {begin} time of the first message, ms  {stepMs} between two jobs
INSERT INTO journal (
    generation, stream_sequence, stored_at, timestamp, service, job_type, job_id, event_type, state, tries, max_tries, error,
    request_id, trace_id, traceparent, attempt_traceparent, payload, result, progress, logs, instance_id, worker_version, work_sequence
)
WITH
    '0123456789ABCDEFGHJKMNPQRSTVWXYZ' AS alphabet,
    ['express', 'gift', 'fragile', 'return', 'call', 'before', 'delivery', 'leave', 'at', 'reception', 'desk'] AS words,
    (value, characters) -> arrayStringConcat(arrayMap(
        place -> substring(alphabet, 1 + bitAnd(bitShiftRight(value, 5 * place), 31), 1), reverse(range(characters)))) AS base32,
    salt -> concat(base32(created_ms, 10), base32(cityHash64(job, salt, 1), 8), base32(cityHash64(job, salt, 2), 8)) AS ulid,
    salt -> lower(hex(cityHash64(job, salt))) AS span,
    lower(hex(sipHash128(job, 'trace'))) AS trace
SELECT
    1, message + 1, fromUnixTimestamp64Milli(at), fromUnixTimestamp64Milli(at - pick % 4),
    ['orders-service', 'orders-service', 'orders-service', 'billing', 'billing', 'search', 'mailer'][1 + pick % 7] AS service,
    concat('type-', toString(intDiv(pick, 7) % 3)) AS job_type,
    ulid('id') AS job_id,
    if(hard, ['created', 'started', 'retry', 'started', ending], ['created', 'started', 'progress', 'logged', 'completed'])[place] AS event_type,
    if(hard, ['pending', 'active', 'retry', 'active', ending], ['pending', 'active', 'active', 'active', 'completed'])[place] AS state,
    if(place = 1, 0, if(hard AND place > 3, 2, 1)) AS tries,
    if(place = 1, 5, NULL) AS max_tries,
    if(state IN ('retry', 'failed', 'dead'),
        concat('payment provider said 50', toString(pick % 10), ' after ', toString(pick % 997), ' ms'), '') AS error,
    ulid('request') AS request_id,
    trace AS trace_id,
    concat('00-', trace, '-', span('parent'), '-01') AS traceparent,
    if(event_type = 'started', concat('00-', trace, '-', span(concat('attempt', toString(place))), '-01'), '') AS attempt_traceparent,
    if(place = 1, concat('{"orderId":"ORD-', toString(1000000 + job), '","customer":"customer-', toString(pick % 9973),
        '","sku":"SKU-', toString(intDiv(pick, 32) % 500), '-M","quantity":', toString(1 + pick % 9), ',"cents":', toString(pick % 90000),
        ',"city":"', ['Utrecht', 'Lyon', 'Bergamo', 'Leipzig', 'Porto', 'Malmö', 'Graz'][1 + intDiv(pick, 64) % 7], '","note":"',
        arrayStringConcat(arrayMap(i -> words[1 + bitAnd(bitShiftRight(cityHash64(job, 'note'), i * 6), 63) % 11], range(10)), ' '),
        '"}'), '') AS payload,
    if(state = 'completed', '{"ok":true}', '') AS result,
    if(event_type = 'progress', concat('{"step":"charge","current":', toString(pick % 10), ',"total":10}'), '') AS progress,
    if(event_type = 'logged', concat('[{"timestamp":"', formatDateTime(fromUnixTimestamp64Milli(at), '%Y-%m-%dT%H:%i:%S'), '.',
        leftPad(toString(at % 1000), 3, '0'), 'Z","level":"info","message":"charging ', toString(pick % 90000), ' cents"}]'), '') AS logs,
    if(place > 1, concat('host-', toString(pick % 20)), '') AS instance_id,
    if(event_type = 'started', concat('1.', toString(intDiv(step, 200000)), '.0'), '') AS worker_version,
    if(place > 1, job + 1, NULL) AS work_sequence
FROM (
    SELECT
        number AS message, 1 + message % 5 AS place, intDiv(message, 5) AS step,
        toInt64(step) - [0, 40, 60, 80, 100][place] AS job,
        {begin: Int64} + toInt64(message * {stepMs: Float64} / 5) AS at,
        {begin: Int64} + toInt64(job * {stepMs: Float64}) AS created_ms,
        cityHash64(job, 'pick') AS pick,
        cityHash64(job, 'hard') % 8 = 0 AS hard,
        ['completed', 'failed', 'dead'][1 + cityHash64(job, 'ending') % 3] AS ending
    FROM numbers({from: UInt64}, {count: UInt64})
)
WHERE job >= 0 AND job < {jobs: Int64}
