-- Every event counts in its minute once.
CREATE MATERIALIZED VIEW IF NOT EXISTS count_event_minutes TO event_minute_rows AS
SELECT
    generation, toDate(stored_at) AS stored_on, toStartOfMinute(timestamp) AS minute, service, job_type, event_type,
    count() AS events
FROM journal
WHERE quarantine_code = ''
GROUP BY generation, stored_on, minute, service, job_type, event_type
