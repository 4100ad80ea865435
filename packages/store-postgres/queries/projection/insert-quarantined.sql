-- Puts messages into quarantine. Overwrites by sequence: in a stream restored from an older copy a sequence can name another
-- message.
-- $1 creation time of the stream · $2 rows as a JSON array, bodies in base64
-- Returns no row.
insert into quarantine (stream_created, sequence, stored_at, subject, code, reason, store_code, body)
select $1, sequence, stored_at, subject, code, reason, store_code, decode(body, 'base64')
from json_to_recordset($2) as r (
  sequence bigint, stored_at timestamptz, subject text, code text, reason text, store_code text, body text
)
on conflict (stream_created, sequence) do update
  set stored_at = excluded.stored_at, subject = excluded.subject, code = excluded.code, reason = excluded.reason,
      store_code = excluded.store_code, body = excluded.body, quarantined_at = now()
