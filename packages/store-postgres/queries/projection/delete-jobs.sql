-- Deletes the rows of restarted jobs. Their log lines are deleted by delete-job-logs.
-- $1 ids
-- Returns no row.
delete from jobs
where id = any ($1::text[])
