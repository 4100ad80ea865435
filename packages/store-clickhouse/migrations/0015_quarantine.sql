-- Public: one row per message of the present history that could not be read, until a later version can read it. Values of
-- slotToken, a secret of the workers, are taken out of what is shown.
CREATE OR REPLACE VIEW quarantine
(
    stream_sequence UInt64 COMMENT 'Place of the message in the JOBS stream',
    stored_at DateTime64(3, 'UTC') COMMENT 'When the stream stored it',
    subject String COMMENT 'Subject that it was published under',
    code LowCardinality(String) COMMENT 'What is wrong: not-json, missing-field, subject-mismatch, …',
    reason String COMMENT 'Names the field and what was expected',
    store_code LowCardinality(String) COMMENT 'SQLSTATE with which Postgres would refuse the content; empty: it would not',
    body String COMMENT 'The bytes of the message'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    stream_sequence, stored_at, subject, quarantine_code AS code,
    -- Of text that is no JSON the parser's message may quote a piece.
    replaceRegexpOne(quarantine_reason, '(?s), .* is not valid JSON$', ': not valid JSON') AS reason,
    store_code,
    replaceRegexpAll(journal.body, '("slotToken"\\s*:\\s*)"(?:[^"\\\\]|\\\\.)*"?', '\\1""') AS body
FROM journal
WHERE generation = (SELECT max(generation) FROM generations) AND quarantine_code != ''
  AND stream_sequence NOT IN (
    SELECT stream_sequence FROM journal WHERE generation = (SELECT max(generation) FROM generations) AND released
  )
