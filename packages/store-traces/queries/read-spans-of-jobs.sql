-- The first spans with the id of one of these jobs, in any trace, each once, ordered by start. hasAny uses the bloom filter over
-- the map's values; the second condition is exact.
-- {jobIds: Array(String)}, {from: Int64}, {to: Int64} in milliseconds, {limit: UInt32}
SELECT
    TraceId AS traceId,
    SpanId AS spanId,
    ParentSpanId AS parentSpanId,
    SpanName AS name,
    SpanKind AS kind,
    ServiceName AS service,
    ResourceAttributes AS resource,
    SpanAttributes AS attributes,
    toString(toUnixTimestamp64Nano(Timestamp)) AS startNs,
    toString(Duration) AS durationNs,
    StatusCode AS status,
    StatusMessage AS statusMessage,
    `Links.TraceId` AS linkTraceIds,
    `Links.SpanId` AS linkSpanIds,
    `Links.Attributes` AS linkAttributes
FROM otel_traces
WHERE hasAny(mapValues(SpanAttributes), {jobIds: Array(String)})
  AND SpanAttributes['trellis.job.id'] IN {jobIds: Array(String)}
  -- Without reads of the job: a page that polls every second would fill the trace view.
  AND NOT (SpanAttributes['rpc.service'] = 'trellis.jobs' AND SpanAttributes['rpc.method'] IN ('Get', 'History', 'Trace'))
  AND Timestamp >= fromUnixTimestamp64Milli({from: Int64})
  AND Timestamp <= fromUnixTimestamp64Milli({to: Int64})
ORDER BY Timestamp
LIMIT 1 BY TraceId, SpanId
LIMIT {limit: UInt32}
