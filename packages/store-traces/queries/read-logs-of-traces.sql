-- The first log records of these traces within a period, ordered by time.
-- {traceIds: Array(String)}, {from: Int64}, {to: Int64} in milliseconds, {limit: UInt32}
SELECT
    toString(toUnixTimestamp64Nano(Timestamp)) AS timeNs,
    TraceId AS traceId,
    SpanId AS spanId,
    SeverityText AS severityText,
    SeverityNumber AS severityNumber,
    ServiceName AS service,
    Body AS body,
    LogAttributes AS attributes
FROM otel_logs
WHERE TraceId IN {traceIds: Array(String)}
  AND TimestampTime >= toDateTime(fromUnixTimestamp64Milli({from: Int64}))
  AND TimestampTime <= toDateTime(fromUnixTimestamp64Milli({to: Int64}))
ORDER BY Timestamp
LIMIT {limit: UInt32}
