-- The texts of errors, each once with how many jobs have it, so that a search looks at texts and not at jobs. Readers go on
-- meanwhile, writers wait. A projector or janitor of an earlier version does not keep the numbers: none may run afterwards.

create table job_errors (
  -- The md5 of the text as the jobs have it.
  id      uuid primary key,
  -- The text in lower case: searches know no upper case.
  lowered text not null,
  count   bigint not null
) with (fillfactor = 80);

comment on table job_errors is 'Texts of last_error, each once, with how many jobs have it.';

-- Newest first for one text. Before the texts are counted, because from here on nobody writes.
create index jobs_of_error on jobs ((md5(last_error)::uuid), created_at, id) where last_error is not null;

insert into job_errors (id, lowered, count)
select md5(last_error)::uuid, lower(last_error), count(*)
from jobs
where last_error is not null
group by last_error;

-- Where the extension of trigrams is there (see the migration before). Without it a search reads all texts.
do $$
declare
  extension_schema text;
begin
  select nspname into extension_schema
  from pg_extension join pg_namespace on pg_namespace.oid = extnamespace
  where extname = 'pg_trgm';
  if found then
    execute format('create index job_errors_by_text on job_errors using gin (lowered %I.gin_trgm_ops)', extension_schema);
  end if;
end
$$;

-- The new index has no statistics yet.
analyze jobs, job_errors;

drop index if exists jobs_by_error_text;
