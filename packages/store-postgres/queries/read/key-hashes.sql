-- The key hashes behind a display key, among the newest $4 jobs of a queue that have it. Different keys may share a display key.
-- $1 service · $2 type · $3 display key · $4 most jobs examined
select distinct key_hash
from (
  select concurrency ->> 'keyHash' as key_hash
  from jobs
  where concurrency is not null
    and concurrency ->> 'key' = $3
    and service = $1
    and type = $2
  order by created_at desc
  limit $4
) as newest
where key_hash is not null
order by key_hash
