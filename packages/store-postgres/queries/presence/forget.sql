-- Deletes workers that are gone and were last seen before an instant.
-- $1 the instant
-- Returns no row.
delete from workers
where status = 'gone' and last_seen_at < $1
