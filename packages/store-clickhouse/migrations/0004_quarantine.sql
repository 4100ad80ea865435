-- Public: one row per message of the present history that could not be read, until a later version can read it.
CREATE OR REPLACE VIEW quarantine AS
SELECT
    stream_sequence, stored_at, subject, quarantine_code AS code, quarantine_reason AS reason, store_code, body
FROM journal
WHERE generation = (SELECT max(generation) FROM generations) AND quarantine_code != ''
  AND stream_sequence NOT IN (
    SELECT stream_sequence FROM journal WHERE generation = (SELECT max(generation) FROM generations) AND released
  )
