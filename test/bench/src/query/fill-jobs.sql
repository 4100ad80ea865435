-- Jobs of a busy system, spread over 30 days: 4 services of different size with 3 types each; 96 % completed, 2 % failed,
-- 1 % dead, the newest 100 pending. 4 jobs share a trace, one in 20 shares a key with about 50 others.
-- $1 jobs  $2 end of the 30 days
insert into jobs (id, service, type, state, tries, max_tries, request_id, trace_id, traceparent, created_at, updated_at,
  started_at, completed_at, last_error, instance_id, payload, payload_bytes, result, concurrency, head_missing,
  handed_back, origin_sequence, origin_at, first_sequence, last_sequence)
select
  id, service, 'type-' || pick % 3, state, case when state = 'pending' then 0 else 1 end, 5,
  '01R' || upper(substr(trace_id, 10, 23)), trace_id, '00-' || trace_id || '-' || substr(random_id, 1, 16) || '-01',
  at, at + interval '2 seconds',
  case when state <> 'pending' then at + interval '1 second' end,
  case when state <> 'pending' then at + interval '2 seconds' end,
  case when state in ('failed', 'dead') then 'payment provider said 50' || pick % 10 || ' after ' || pick % 997 || ' ms' end,
  'host-' || pick % 20,
  payload, length(payload::text),
  case when state = 'completed' then '{"ok": true}'::jsonb end,
  case when pick % 20 = 0 then jsonb_build_object('key', 'customer:' || pick / 20 % greatest($1 / 1000, 1), 'keyHash', md5((pick / 20 % greatest($1 / 1000, 1))::text)) end,
  false, false, i * 3, at, i * 3, i * 3 + 2
from (
  select *,
    '01J' || lpad(upper(to_hex(i)), 8, '0') || upper(substr(random_id, 1, 15)) as id,
    (array ['orders-service', 'orders-service', 'orders-service', 'billing', 'billing', 'search', 'mailer'])[1 + pick % 7] as service,
    case
      when i > $1 - 100 then 'pending'
      when pick % 100 = 1 then 'dead'
      when pick % 100 < 4 then 'failed'
      else 'completed'
    end as state,
    md5('trace' || i / 4) as trace_id,
    $2::timestamptz - ($1 - i) * (interval '30 days' / $1) as at,
    jsonb_build_object('orderId', 'ORD-' || i, 'customer', 'customer-' || pick % 9973, 'sku', 'SKU-' || pick % 500,
      'quantity', 1 + pick % 9, 'cents', pick % 90000, 'city', 'Utrecht', 'note', random_id || ' leave at the desk') as payload
  from (
    select i, (hashint8(i)::bigint & 2147483647)::integer as pick, md5(i::text) as random_id from generate_series(1, $1::bigint) as i
  ) as picked
) as generated
