-- One page of the quarantined messages of one stream, in stream order.
-- $1 creation time of the stream · $2 after this sequence · $3 up to this sequence · $4 page size
select sequence, stored_at, subject, code, reason, store_code, body
from quarantine
where stream_created = $1 and sequence > $2 and sequence <= $3
order by sequence
limit $4
