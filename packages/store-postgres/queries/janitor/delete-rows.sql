-- Deletes the rows of jobs that have not changed since they were read.
-- $1 ids · $2 last_sequence of each
-- Returns the deleted jobs, so that their counts and log lines can be removed too.
delete from jobs
using unnest($1::text[], $2::bigint[]) as gone (id, last_sequence)
where jobs.id = gone.id and jobs.last_sequence = gone.last_sequence
returning jobs.id, jobs.service, jobs.type, jobs.state, jobs.last_error
