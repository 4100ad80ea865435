-- Deletes the log lines of jobs that are removed or restarted.
-- $1 ids
-- Returns no row.
delete from job_logs
where job_id = any ($1::text[])
