-- The first log records in a time that carry the id of one of these jobs, as our spans or as our log lines name it.
-- {jobIds: Array(String)}, {from: Int64}, {to: Int64} in milliseconds, {limit: UInt32}
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
WHERE hasAny(mapValues(LogAttributes), {jobIds: Array(String)})
  AND (LogAttributes['trellis.job.id'] IN {jobIds: Array(String)} OR LogAttributes['jobId'] IN {jobIds: Array(String)})
  AND TimestampTime >= toDateTime(fromUnixTimestamp64Milli({from: Int64}))
  AND TimestampTime <= toDateTime(fromUnixTimestamp64Milli({to: Int64}))
ORDER BY Timestamp
LIMIT {limit: UInt32}
