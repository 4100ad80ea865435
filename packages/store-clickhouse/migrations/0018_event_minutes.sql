-- Public: events per minute, queue and type.
CREATE OR REPLACE VIEW event_minutes
(
    minute DateTime64(0, 'UTC') COMMENT 'Minute of the events'' timestamps',
    service LowCardinality(String) COMMENT 'Owner of the queue',
    job_type LowCardinality(String) COMMENT 'The queue',
    event_type LowCardinality(String) COMMENT 'created, started, retry, completed, …',
    events UInt64 COMMENT 'Events, also those that changed nothing'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT minute, service, job_type, event_type, events
FROM event_minute_rows FINAL
WHERE generation = (SELECT max(generation) FROM generations)
