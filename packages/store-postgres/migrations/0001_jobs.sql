-- The projection of the JOBS stream: one row per job, and what the projector needs to keep it true.
-- Names are resolved through search_path (default schema: trellis_jobs).

create table jobs (
  id                  text primary key,
  service             text not null,
  type                text not null,
  state               text not null check (state in ('pending', 'active', 'retry', 'completed', 'failed', 'cancelled',
                                                     'expired', 'skipped', 'stale', 'dead', 'dismissed')),
  tries               integer not null,
  max_tries           integer not null,
  request_id          text not null,
  trace_id            text not null,
  traceparent         text not null,
  tracestate          text,
  created_at          timestamptz not null,
  updated_at          timestamptz not null,
  started_at          timestamptz,
  completed_at        timestamptz,
  deadline            timestamptz,
  cancel_requested_at timestamptz,
  last_error          text,
  instance_id         text,
  payload             jsonb not null,
  payload_bytes       integer not null,
  result              jsonb,
  progress            jsonb,
  concurrency         jsonb,
  queue_policy        jsonb,
  head_missing        boolean not null,
  handed_back         boolean not null,
  origin_sequence     bigint not null,
  origin_at           timestamptz not null,
  first_sequence      bigint not null,
  last_sequence       bigint not null
) with (fillfactor = 85, toast_tuple_target = 1024);

comment on table jobs is 'Current state of every job, derived from the JOBS stream. Public: read it, never write it.';

create index jobs_newest on jobs (created_at desc, id desc);
create index jobs_of_service on jobs (service, created_at desc, id desc);
create index jobs_of_type on jobs (service, type, created_at desc, id desc);
create index jobs_in_rare_state on jobs (state, created_at desc, id desc) where state <> 'completed';
create index jobs_of_type_in_rare_state on jobs (service, type, state, created_at desc, id desc) where state <> 'completed';
create index jobs_of_trace on jobs using hash (trace_id);
create index jobs_of_request on jobs using hash (request_id);
create index jobs_of_key on jobs ((concurrency ->> 'key'), created_at desc) where concurrency is not null;
create index jobs_by_deadline on jobs (deadline) where deadline is not null and state in ('pending', 'active', 'retry');
create index jobs_by_update on jobs using brin (updated_at) with (pages_per_range = 32);

-- What handlers logged, a row a line, so that a line never rewrites the job's row.
create table job_logs (
  job_id    text not null,
  sequence  bigint not null,
  line      integer not null,
  logged_at timestamptz not null,
  level     text not null,
  message   text not null,
  primary key (job_id, sequence, line)
);

-- How many jobs are in each state, kept in the transaction that moves them: exact counts without a scan.
create table job_counts (
  service text not null,
  type    text not null,
  state   text not null,
  count   bigint not null,
  primary key (service, type, state)
) with (fillfactor = 50);

-- One row per pipeline that writes here: its lease, its fence, and how far it has come.
create table pipelines (
  name               text primary key,
  epoch              bigint not null,
  owner              text not null,
  lease_until        timestamptz not null,
  stream_created     timestamptz,
  position           bigint not null,
  position_stored_at timestamptz,
  updated_at         timestamptz not null default now()
);

-- Messages that could not be projected, kept whole.
create table quarantine (
  stream_created timestamptz not null,
  sequence       bigint not null,
  stored_at      timestamptz not null,
  subject        text not null,
  code           text not null,
  reason         text not null,
  store_code     text,
  body           bytea not null,
  quarantined_at timestamptz not null default now(),
  primary key (stream_created, sequence)
);
