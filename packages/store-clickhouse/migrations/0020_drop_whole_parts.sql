-- Where the projector is told how long to keep the history (historyTtlDays), parts are dropped as a whole, never rewritten.
ALTER TABLE journal MODIFY SETTING ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1
