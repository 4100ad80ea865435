-- How long do jobs wait and run?
SELECT service, job_type, quantiles(0.5, 0.95, 0.99)(wait), quantiles(0.5, 0.95, 0.99)(run), avg(wait), avg(run)
FROM (
    SELECT service, job_type, job_id,
        arraySort(groupArray((stream_sequence, event_type, timestamp))) AS events,
        arrayFilter(e -> e.2 IN ('started', 'retry', 'completed'), events) AS beats,
        dateDiff('millisecond', events[1].3, arrayFirst(e -> e.2 = 'started', events).3) AS wait,
        arraySum(arrayMap((a, b) -> if(a.2 = 'started', dateDiff('millisecond', a.3, b.3), 0), arrayPopBack(beats), arrayPopFront(beats))) AS run
    FROM raw_events
    WHERE event_type IN ('created', 'started', 'retry', 'completed')
    GROUP BY service, job_type, job_id
    HAVING maxIf(timestamp, event_type = 'completed') >= now() - INTERVAL 1 DAY
)
GROUP BY service, job_type
ORDER BY service, job_type
