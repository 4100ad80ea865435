-- Jobs known by their ids, as a page.
-- $1 ids · $2 limit, at least the number of ids: without it the server estimates ten rows, and plans again whenever there are fewer
select null::bigint as count, id, place
from unnest($1::text[]) with ordinality as wanted (id, place)
limit $2
