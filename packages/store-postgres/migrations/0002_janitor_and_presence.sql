-- Worker presence, kept by the heartbeat aggregator, and what the janitor's duties did last.

-- One row per worker instance and job type. Kept while the worker lives and, as `gone`, until the operator's retention
-- is over. Whether somebody keeps it now, and up to when it is right, is in pipelines under the name 'presence'.
create table workers (
  service               text not null,
  type                  text not null,
  instance_id           text not null,
  -- live: heard within 2.5 intervals; late: silent for longer; gone: silent for 6 intervals.
  status                text not null check (status in ('live', 'late', 'gone')),
  first_seen_at         timestamptz not null,
  -- When the stream stored its last heartbeat.
  last_seen_at          timestamptz not null,
  -- The time between two heartbeats, as learned from them.
  heartbeat_interval_ms integer not null,
  concurrency           integer,
  version               text,
  -- Ids of the jobs that it works on now (at most 1,000 of them), and how many they are; null where it does not say.
  active_jobs           text[],
  active_job_count      integer,
  updated_at            timestamptz not null default now(),
  primary key (service, type, instance_id)
) with (fillfactor = 50);

comment on table workers is 'Presence of workers, derived from their heartbeats. Public: read it, never write it.';

-- One row per duty of the janitor: who works it, when it is due again, and what its last pass did.
create table janitor_passes (
  duty         text primary key,
  -- Counts the owners: every pass that is begun is one more. A pass that has lost its lease cannot write here.
  epoch        bigint not null,
  owner        text not null,
  lease_until  timestamptz not null,
  due_at       timestamptz not null,
  started_at   timestamptz not null,
  -- Of the last pass that ended, well or not; null before the first.
  finished_at  timestamptz,
  duration_ms  integer,
  -- What it did: name → number.
  counts       jsonb not null default '{}',
  -- What an operator should know: a list of {code, message, …}; empty when all is well.
  problems     jsonb not null default '[]',
  -- Why the last pass failed; null when it ended well.
  error        text,
  -- The last pass that ended well.
  succeeded_at timestamptz,
  passes       bigint not null default 0,
  -- Where the next pass goes on.
  state        jsonb not null default '{}'
);

comment on table janitor_passes is 'What each duty of the janitor did last. Public: read it, never write it.';

-- Rows whose first messages are no longer in the stream are found by this. Unlike last_sequence it never changes, so
-- that updates of a row stay cheap.
create index jobs_by_first_sequence on jobs (first_sequence);
