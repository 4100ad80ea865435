-- As before, with the mark that tells whether a block has arrived.
ALTER TABLE count_event_minutes MODIFY QUERY
SELECT
    generation, toDate(stored_at) AS stored_on, max(stream_sequence) AS last_sequence,
    toStartOfMinute(timestamp) AS minute, service, job_type, event_type,
    count() AS events
FROM journal
WHERE quarantine_code = ''
GROUP BY generation, stored_on, minute, service, job_type, event_type
