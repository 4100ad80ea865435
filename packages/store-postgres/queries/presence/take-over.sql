-- Takes over the lease of presence from any owner. The new epoch fences the former owner.
-- $1 owner · $2 length of the lease in milliseconds
-- Returns one row: the epoch.
insert into pipelines as p (name, epoch, owner, lease_until, position)
values ('presence', 1, $1, clock_timestamp() + $2 * interval '1 millisecond', 0)
on conflict (name) do update
  set epoch = p.epoch + 1, owner = excluded.owner, lease_until = excluded.lease_until, updated_at = clock_timestamp()
returning epoch
