-- The first spans of these traces, each once, ordered by start. otel_traces_trace_id_ts has the period of each trace, in seconds.
-- Compared as DateTime64: with a DateTime, the primary key skipped rows of the last second (ClickHouse 26.7).
-- {traceIds: Array(String)}, {limit: UInt32}
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
WHERE TraceId IN {traceIds: Array(String)}
  AND Timestamp >= (
    SELECT toDateTime64(min(Start), 9) FROM otel_traces_trace_id_ts WHERE TraceId IN {traceIds: Array(String)}
  )
  AND Timestamp <= (
    SELECT toDateTime64(max(End), 9) + INTERVAL 1 SECOND FROM otel_traces_trace_id_ts WHERE TraceId IN {traceIds: Array(String)}
  )
ORDER BY Timestamp
LIMIT 1 BY TraceId, SpanId
LIMIT {limit: UInt32}
