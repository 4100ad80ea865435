-- Deletes the log lines of jobs that start again.
-- $1 ids
delete from job_logs
where job_id = any ($1::text[])
