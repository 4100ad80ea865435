-- Indexes for pages of every filter at any size of the table, at less cost for the projector than those before. Readers go on
-- meanwhile, writers wait: some seconds for each million of jobs.

-- In the order in which jobs come, so that the pages of an index are filled one after the other; newest first is read
-- backwards.
create index jobs_newest_ascending on jobs (created_at, id);
create index jobs_of_service_ascending on jobs (service, created_at, id);
create index jobs_in_rare_state_ascending on jobs (state, created_at, id) where state <> 'completed';
-- Takes the place of two: with and without a state, pages are merged of its slices.
create index jobs_of_type_in_state on jobs (service, type, state, created_at, id);
-- Common texts of errors are found by a walk over the jobs that have an error.
create index jobs_with_error on jobs (created_at, id) where last_error is not null;

-- Rare ones are found by an index of trigrams, where the extension is there and may be made. Without it everything else is
-- as it is with it. Made later, the index is one statement: the one below.
do $$
declare
  extension_schema text;
begin
  begin
    create extension if not exists pg_trgm with schema public;
  exception when others then
    raise warning 'pg_trgm cannot be made here (%): searches for rare errors read all jobs that have one', sqlerrm;
  end;
  select nspname into extension_schema
  from pg_extension join pg_namespace on pg_namespace.oid = extnamespace
  where extname = 'pg_trgm';
  if found then
    execute format(
      'create index jobs_by_error_text on jobs using gin (last_error %I.gin_trgm_ops) where last_error is not null',
      extension_schema
    );
  end if;
end
$$;

-- Last, because this is what readers would wait for.
drop index jobs_newest, jobs_of_service, jobs_of_type, jobs_in_rare_state, jobs_of_type_in_rare_state;
alter index jobs_newest_ascending rename to jobs_newest;
alter index jobs_of_service_ascending rename to jobs_of_service;
alter index jobs_in_rare_state_ascending rename to jobs_in_rare_state;
