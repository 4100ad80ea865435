-- Forgets workers that have been gone for long enough.
-- $1 last seen before
delete from workers
where status = 'gone' and last_seen_at < $1
