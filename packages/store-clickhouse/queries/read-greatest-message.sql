-- The message with the greatest stream sequence of a generation, among those from a known sequence on. Sequence 0: none.
-- Parameters: generation, atLeast (stream sequence; rows below it are not read).
SELECT toUInt64(max(stream_sequence)) AS sequence, toUnixTimestamp64Milli(argMax(stored_at, stream_sequence)) AS storedAt
FROM journal
WHERE generation = {generation: UInt32} AND stream_sequence >= {atLeast: UInt64}
