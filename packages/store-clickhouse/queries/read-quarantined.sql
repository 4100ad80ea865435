-- The quarantined messages of a generation between two sequences, in stream order.
-- Parameters: generation, first, last, released (1: includes messages that were released).
SELECT
    stream_sequence AS sequence,
    toUnixTimestamp64Milli(stored_at) AS storedAt,
    subject,
    base64Encode(body) AS body
FROM journal
WHERE generation = {generation: UInt32} AND quarantine_code != ''
  AND stream_sequence BETWEEN {first: UInt64} AND {last: UInt64}
  AND ({released: UInt8} = 1 OR stream_sequence NOT IN (
    SELECT stream_sequence FROM journal WHERE generation = {generation: UInt32} AND released
  ))
ORDER BY stream_sequence
