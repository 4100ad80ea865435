-- The queue that the first event of a job names. Parameters: id.
SELECT service, job_type AS type
FROM journal
WHERE generation = (SELECT max(generation) FROM generations) AND quarantine_code = '' AND job_id = {id: String}
ORDER BY stream_sequence
LIMIT 1
