-- A user that can read only the public views of the history, for your own ClickHouse (`npm start` creates one by itself).
-- Run it as an administrator after the first start of the projector. Change the password, and the database if
-- CLICKHOUSE_DATABASE is set:
--   clickhouse-client --multiquery < infra/clickhouse/analyst.sql
-- The views run with the rights of the projector's user, which created them: keep that user.
CREATE USER IF NOT EXISTS analyst IDENTIFIED WITH sha256_password BY 'change-me' DEFAULT DATABASE trellis_jobs
    SETTINGS readonly = 1,
        enable_http_compression CHANGEABLE_IN_READONLY,
        date_time_output_format CHANGEABLE_IN_READONLY,
        output_format_json_quote_64bit_integers CHANGEABLE_IN_READONLY,
        max_execution_time = 60 CHANGEABLE_IN_READONLY;
GRANT SELECT ON trellis_jobs.events TO analyst;
GRANT SELECT ON trellis_jobs.runs TO analyst;
GRANT SELECT ON trellis_jobs.minutes TO analyst;
GRANT SELECT ON trellis_jobs.hours TO analyst;
GRANT SELECT ON trellis_jobs.event_minutes TO analyst;
GRANT SELECT ON trellis_jobs.quarantine TO analyst;
