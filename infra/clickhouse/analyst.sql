-- A user who reads the public views of the history and nothing else, for a ClickHouse of your own (that of `npm start` has
-- one). Run it as an administrator after the projector's first start, with another password, and another database where
-- CLICKHOUSE_DATABASE names one:
--   clickhouse-client --multiquery < infra/clickhouse/analyst.sql
-- The views run with the rights of the projector's user, who made them: keep that user.
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
