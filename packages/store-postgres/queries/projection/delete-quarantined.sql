-- Takes messages out of quarantine, because they are projected now.
-- $1 creation time of the stream · $2 sequences
delete from quarantine
where stream_created = $1 and sequence = any ($2::bigint[])
