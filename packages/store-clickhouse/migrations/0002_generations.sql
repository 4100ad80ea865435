-- The histories of the stream that the journal holds: a new one after the stream was made anew or restored, or after
-- this database was emptied or restored. The greatest is current.
CREATE TABLE IF NOT EXISTS generations
(
    generation UInt32,
    stream_created DateTime64(3, 'UTC') COMMENT 'Creation time of the stream that it is the history of',
    begun_at DateTime64(3, 'UTC') DEFAULT now64(3),
    why String COMMENT 'What made it necessary'
)
ENGINE = MergeTree
ORDER BY generation
SETTINGS non_replicated_deduplication_window = 1000
