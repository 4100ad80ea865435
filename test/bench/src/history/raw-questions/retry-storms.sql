-- When were there retry storms?
SELECT toStartOfMinute(timestamp) AS minute, service, job_type, countIf(event_type = 'retry') AS retries,
    countIf(event_type = 'completed') AS completed
FROM raw_events
WHERE timestamp >= now() - INTERVAL 1 DAY AND event_type IN ('retry', 'completed')
GROUP BY minute, service, job_type
HAVING retries > 3 AND retries >= completed
ORDER BY retries DESC, minute, service, job_type
LIMIT 100
