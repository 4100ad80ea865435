-- Jobs that are known by their ids, as a page.
-- $1 ids
select null::bigint as count, id, place
from unnest($1::text[]) with ordinality as wanted (id, place)
