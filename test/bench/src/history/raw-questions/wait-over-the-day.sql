-- How does the 95th percentile of the wait change over the day?
SELECT toStartOfHour(ended) AS hour, quantile(0.95)(wait) AS wait_ms_p95
FROM (
    SELECT job_id, maxIf(timestamp, event_type IN ('completed', 'failed', 'dead')) AS ended,
        dateDiff('millisecond', minIf(timestamp, event_type = 'created'), minIf(timestamp, event_type = 'started')) AS wait
    FROM raw_events
    WHERE service = 'orders-service' AND event_type IN ('created', 'started', 'completed', 'failed', 'dead')
    GROUP BY job_id
    HAVING ended >= now() - INTERVAL 1 DAY
)
GROUP BY hour
ORDER BY hour
