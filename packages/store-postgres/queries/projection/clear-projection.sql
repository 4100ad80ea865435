-- Empties the projection before a rebuild from the start of the stream. The quarantine stays.
-- Returns no row.
truncate jobs, job_logs, job_counts, job_errors
