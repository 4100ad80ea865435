-- Deletes the rows of jobs that are as they were when they were looked at.
-- $1 ids · $2 last_sequence of each
-- Returns the deleted ones, for the counts and the log lines.
delete from jobs
using unnest($1::text[], $2::bigint[]) as gone (id, last_sequence)
where jobs.id = gone.id and jobs.last_sequence = gone.last_sequence
returning jobs.id, jobs.service, jobs.type, jobs.state, jobs.last_error
