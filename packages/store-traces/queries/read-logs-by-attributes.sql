-- The first log records within a period whose attributes name one of these jobs, or one of these traces. The latter finds
-- records that belong to no trace or to another one. Ordered by time.
-- {jobIds: Array(String)}, {traceIds: Array(String)}, {from: Int64}, {to: Int64} in milliseconds, {limit: UInt32}
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
WHERE hasAny(mapValues(LogAttributes), arrayConcat({jobIds: Array(String)}, {traceIds: Array(String)}))
  AND (
    LogAttributes['trellis.job.id'] IN {jobIds: Array(String)}
    OR LogAttributes['jobId'] IN {jobIds: Array(String)}
    OR LogAttributes['trellis.trace.id'] IN {traceIds: Array(String)}
  )
  AND TimestampTime >= toDateTime(fromUnixTimestamp64Milli({from: Int64}))
  AND TimestampTime <= toDateTime(fromUnixTimestamp64Milli({to: Int64}))
ORDER BY Timestamp
LIMIT {limit: UInt32}
