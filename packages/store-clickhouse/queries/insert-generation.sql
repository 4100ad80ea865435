-- Starts a new generation of the history. Parameters: generation, streamCreated (milliseconds since 1970), why.
INSERT INTO generations (generation, stream_created, why)
SELECT {generation: UInt32}, fromUnixTimestamp64Milli({streamCreated: Int64}, 'UTC'), {why: String}
