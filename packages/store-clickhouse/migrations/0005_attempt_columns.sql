-- What `started` says of the attempt: its span and the version of the worker's software.
ALTER TABLE journal
    ADD COLUMN IF NOT EXISTS attempt_traceparent String COMMENT 'On started: W3C traceparent of the attempt''s span' CODEC(ZSTD(1)) AFTER tracestate,
    ADD COLUMN IF NOT EXISTS worker_version LowCardinality(String) COMMENT 'On started: version of the worker''s software' CODEC(ZSTD(1)) AFTER instance_id
