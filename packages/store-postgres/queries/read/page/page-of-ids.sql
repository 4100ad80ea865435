-- Jobs that are known by their ids, as a page.
-- $1 ids  $2 at least as many: without it the server expects ten, and plans again whenever they are fewer
select null::bigint as count, id, place
from unnest($1::text[]) with ordinality as wanted (id, place)
limit $2
