-- Deletes the rows of jobs that start again; their log lines go with delete-job-logs.
-- $1 ids
delete from jobs
where id = any ($1::text[])
