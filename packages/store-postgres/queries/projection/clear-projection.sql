-- Empties the projection before it is rebuilt from the start of the stream. The quarantine stays.
truncate jobs, job_logs, job_counts, job_errors
