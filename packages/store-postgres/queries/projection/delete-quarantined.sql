-- Removes messages from the quarantine because they are projected now.
-- $1 creation time of the stream · $2 sequences
-- Returns no row.
delete from quarantine
where stream_created = $1 and sequence = any ($2::bigint[])
