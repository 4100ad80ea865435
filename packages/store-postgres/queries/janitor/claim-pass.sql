-- Starts a pass of a duty when it is due and no replica runs it. The new epoch fences the former owner.
-- $1 duty · $2 owner · $3 length of the lease in milliseconds
-- Returns one row when the caller holds the lease; none when the duty is not due or another replica runs it.
insert into janitor_passes as p (duty, epoch, owner, lease_until, due_at, started_at)
values ($1, 1, $2, clock_timestamp() + $3 * interval '1 millisecond', clock_timestamp(), clock_timestamp())
on conflict (duty) do update
  set epoch = p.epoch + 1, owner = excluded.owner, lease_until = excluded.lease_until, started_at = excluded.started_at
  where p.lease_until <= clock_timestamp() and p.due_at <= clock_timestamp()
returning epoch, state
