-- The fence: advances a pipeline's position when it is where the caller expects it and the epoch is the caller's.
-- First statement of every transaction that writes jobs. The transaction continues only when it changed one row.
-- $1 pipeline name · $2 epoch · $3 position before · $4 position after · $5 when the stream stored the message at $4, or
-- null · $6 creation time of the stream · $7 length of the lease in milliseconds
-- Returns no row.
update pipelines
set position = $4, position_stored_at = $5, stream_created = $6,
    lease_until = clock_timestamp() + $7 * interval '1 millisecond', updated_at = clock_timestamp()
where name = $1 and epoch = $2 and position = $3
