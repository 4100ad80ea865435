-- How many jobs end, per hour and queue?
SELECT toStartOfHour(timestamp) AS hour, service, job_type, count() AS ended, countIf(event_type = 'completed') AS completed
FROM raw_events
WHERE timestamp >= now() - INTERVAL 1 DAY AND event_type IN ('completed', 'failed', 'dead', 'cancelled', 'expired', 'skipped', 'stale')
GROUP BY hour, service, job_type
ORDER BY hour, service, job_type
