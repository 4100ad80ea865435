-- Records what a pass did and when the duty is due again. Changes no row when another owner has started a pass.
-- $1 duty · $2 epoch · $3 milliseconds until it is due · $4 duration in milliseconds · $5 counts as a JSON object
-- $6 problems as a JSON array · $7 error, or null · $8 where the next pass continues, as a JSON object; null keeps the old one
-- Returns no row.
update janitor_passes
set lease_until = clock_timestamp(),
    due_at = clock_timestamp() + $3 * interval '1 millisecond',
    finished_at = clock_timestamp(),
    duration_ms = $4,
    counts = $5,
    problems = $6,
    error = $7,
    succeeded_at = case when $7::text is null then clock_timestamp() else succeeded_at end,
    passes = passes + 1,
    state = coalesce($8, state)
where duty = $1 and epoch = $2
