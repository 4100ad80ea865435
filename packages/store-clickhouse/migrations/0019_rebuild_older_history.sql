-- A history that was written before the tables of runs and minutes were there (or were there again) is begun anew by the
-- projector, which finds a generation greater than its own.
INSERT INTO generations (generation, stream_created, why)
SELECT max(generation) + 1, argMax(stream_created, generation), 'the journal is older than the tables of runs and minutes'
FROM generations
HAVING max(generation) IN (SELECT generation FROM journal WHERE quarantine_code = '')
   AND (max(generation) NOT IN (SELECT generation FROM run_rows)
     OR max(generation) NOT IN (SELECT generation FROM event_minute_rows)
     OR (max(generation) IN (SELECT generation FROM run_rows WHERE ended_at IS NOT NULL)
         AND max(generation) NOT IN (SELECT generation FROM minute_rows)))
