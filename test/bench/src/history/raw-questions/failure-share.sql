-- What share of the jobs fails, per queue?
SELECT service, job_type, count() AS ended, countIf(event_type IN ('failed', 'dead')) AS failed, failed / ended AS failure_rate
FROM raw_events
WHERE timestamp >= now() - INTERVAL 1 DAY AND event_type IN ('completed', 'failed', 'dead', 'cancelled', 'expired', 'skipped', 'stale')
GROUP BY service, job_type
ORDER BY failure_rate DESC, service, job_type
