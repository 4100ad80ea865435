-- The number of rows of an appended block that each table lacks. Follows two named queries that missing-rows.ts writes: journal,
-- the stored rows of the block, and changes, the fold of these rows. Correct only while no later block was appended.
-- Parameters: generation, from, to (stream sequences), rows (number of rows of the block).
-- Returns one row for each table: its name and the number of missing rows.
SELECT 'journal' AS table, {rows: UInt64} - least(count(), {rows: UInt64}) AS missing
FROM journal
UNION ALL
SELECT 'run_rows', count()
FROM (SELECT service, job_type, job_id, last_sequence FROM changes WHERE is_latest) AS expected
LEFT ANTI JOIN (
    SELECT service, job_type, job_id, last_sequence
    FROM run_rows
    WHERE generation = {generation: UInt32} AND last_sequence BETWEEN {from: UInt64} AND {to: UInt64}
) AS found USING (service, job_type, job_id, last_sequence)
UNION ALL
SELECT 'minute_rows', count()
FROM (
    SELECT toYYYYMM(end_stored_on) AS month, toStartOfMinute(assumeNotNull(ended_at)) AS minute, service, job_type, outcome,
        max(last_sequence) AS last_sequence
    FROM changes
    WHERE ends_now
    GROUP BY month, minute, service, job_type, outcome
) AS expected
LEFT ANTI JOIN (
    SELECT toYYYYMM(stored_on) AS month, minute, service, job_type, outcome, last_sequence
    FROM minute_rows
    WHERE generation = {generation: UInt32} AND last_sequence BETWEEN {from: UInt64} AND {to: UInt64}
) AS found USING (month, minute, service, job_type, outcome, last_sequence)
UNION ALL
SELECT 'hour_rows', count()
FROM (
    SELECT toYYYYMM(end_stored_on) AS month, toStartOfHour(assumeNotNull(ended_at)) AS hour, service, job_type, outcome,
        max(last_sequence) AS last_sequence
    FROM changes
    WHERE ends_now
    GROUP BY month, hour, service, job_type, outcome
) AS expected
LEFT ANTI JOIN (
    SELECT toYYYYMM(stored_on) AS month, hour, service, job_type, outcome, last_sequence
    FROM hour_rows
    WHERE generation = {generation: UInt32} AND last_sequence BETWEEN {from: UInt64} AND {to: UInt64}
) AS found USING (month, hour, service, job_type, outcome, last_sequence)
UNION ALL
SELECT 'event_minute_rows', count()
FROM (
    SELECT toYYYYMM(stored_at) AS month, toStartOfMinute(timestamp) AS minute, service, job_type, event_type,
        max(stream_sequence) AS last_sequence
    FROM journal
    WHERE quarantine_code = ''
    GROUP BY month, minute, service, job_type, event_type
) AS expected
LEFT ANTI JOIN (
    SELECT toYYYYMM(stored_on) AS month, minute, service, job_type, event_type, last_sequence
    FROM event_minute_rows
    WHERE generation = {generation: UInt32} AND last_sequence BETWEEN {from: UInt64} AND {to: UInt64}
) AS found USING (month, minute, service, job_type, event_type, last_sequence)
