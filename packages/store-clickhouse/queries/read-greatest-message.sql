-- The message with the greatest stream sequence of a history, among those not below a known one; sequence 0: none.
-- Parameters: generation, atLeast (spares reading what lies below).
SELECT toUInt64(max(stream_sequence)) AS sequence, toUnixTimestamp64Milli(argMax(stored_at, stream_sequence)) AS storedAt
FROM journal
WHERE generation = {generation: UInt32} AND stream_sequence >= {atLeast: UInt64}
