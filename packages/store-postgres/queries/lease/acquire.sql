-- Acquires the lease of a pipeline when it is free, has expired, or is the caller's. The new epoch fences the former owner.
-- $1 pipeline name · $2 owner · $3 length of the lease in milliseconds
-- Returns one row when the caller holds the lease now; none while another owner holds it.
insert into pipelines as p (name, epoch, owner, lease_until, position)
values ($1, 1, $2, clock_timestamp() + $3 * interval '1 millisecond', 0)
on conflict (name) do update
  set epoch = p.epoch + 1, owner = excluded.owner, lease_until = excluded.lease_until, updated_at = clock_timestamp()
  where p.lease_until < clock_timestamp() or p.owner = excluded.owner
returning epoch, position, position_stored_at, stream_created
