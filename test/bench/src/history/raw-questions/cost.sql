-- What does each service cost?
SELECT service, sum(run) / 3600000 AS hours, hours * 0.04 AS cost, sumIf(run, NOT completed) / sum(run) AS wasted
FROM (
    SELECT service, job_id, max(event_type = 'completed') AS completed,
        arrayFilter(e -> e.2 != 'created', arraySort(groupArray((stream_sequence, event_type, timestamp)))) AS beats,
        arraySum(arrayMap((a, b) -> if(a.2 = 'started', dateDiff('millisecond', a.3, b.3), 0), arrayPopBack(beats), arrayPopFront(beats))) AS run
    FROM raw_events
    WHERE event_type IN ('created', 'started', 'retry', 'completed', 'failed', 'dead')
    GROUP BY service, job_id
    HAVING maxIf(timestamp, event_type IN ('completed', 'failed', 'dead')) >= now() - INTERVAL 30 DAY
)
GROUP BY service
ORDER BY hours DESC
