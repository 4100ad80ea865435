-- What a new owner of the projection must know before it continues.
-- $1 creation time of the stream
-- Returns one row: whether any job has a row, and the greatest quarantined sequence of that stream (0: none).
select exists (select from jobs) as has_jobs,
       coalesce((select max(sequence) from quarantine where stream_created = $1), 0) as quarantined_up_to
