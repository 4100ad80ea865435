-- The queue of a job: service and type of its first event. Parameters: id.
-- Returns no row when the history has no such job.
SELECT service, job_type AS type
FROM journal
WHERE generation = (SELECT max(generation) FROM generations) AND quarantine_code = '' AND job_id = {id: String}
ORDER BY stream_sequence
LIMIT 1
