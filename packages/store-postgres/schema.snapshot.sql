table janitor_passes
  comment 'What each duty of the janitor did last. Public: read it, never write it.'
  duty text not null
  epoch bigint not null
  owner text not null
  lease_until timestamp with time zone not null
  due_at timestamp with time zone not null
  started_at timestamp with time zone not null
  finished_at timestamp with time zone
  duration_ms integer
  counts jsonb not null default '{}'::jsonb
  problems jsonb not null default '[]'::jsonb
  error text
  succeeded_at timestamp with time zone
  passes bigint not null default 0
  state jsonb not null default '{}'::jsonb
  constraint janitor_passes_pkey PRIMARY KEY (duty)
  CREATE UNIQUE INDEX janitor_passes_pkey ON janitor_passes USING btree (duty)
table job_counts with (fillfactor=50)
  service text not null
  type text not null
  state text not null
  count bigint not null
  constraint job_counts_pkey PRIMARY KEY (service, type, state)
  CREATE UNIQUE INDEX job_counts_pkey ON job_counts USING btree (service, type, state)
table job_errors with (fillfactor=80)
  comment 'Texts of last_error, each once, with how many jobs have it.'
  id uuid not null
  lowered text not null
  count bigint not null
  constraint job_errors_pkey PRIMARY KEY (id)
  CREATE INDEX job_errors_by_text ON job_errors USING gin (lowered public.gin_trgm_ops)
  CREATE UNIQUE INDEX job_errors_pkey ON job_errors USING btree (id)
table job_logs
  job_id text not null
  sequence bigint not null
  line integer not null
  logged_at timestamp with time zone not null
  level text not null
  message text not null
  constraint job_logs_pkey PRIMARY KEY (job_id, sequence, line)
  CREATE UNIQUE INDEX job_logs_pkey ON job_logs USING btree (job_id, sequence, line)
table jobs with (fillfactor=85, toast_tuple_target=1024)
  comment 'Current state of every job, derived from the JOBS stream. Public: read it, never write it.'
  id text not null
  service text not null
  type text not null
  state text not null
  tries integer not null
  max_tries integer not null
  request_id text not null
  trace_id text not null
  traceparent text not null
  tracestate text
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  started_at timestamp with time zone
  completed_at timestamp with time zone
  deadline timestamp with time zone
  cancel_requested_at timestamp with time zone
  last_error text
  instance_id text
  payload jsonb not null
  payload_bytes integer not null
  result jsonb
  progress jsonb
  concurrency jsonb
  queue_policy jsonb
  head_missing boolean not null
  handed_back boolean not null
  origin_sequence bigint not null
  origin_at timestamp with time zone not null
  first_sequence bigint not null
  last_sequence bigint not null
  constraint jobs_pkey PRIMARY KEY (id)
  constraint jobs_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'active'::text, 'retry'::text, 'completed'::text, 'failed'::text, 'cancelled'::text, 'expired'::text, 'skipped'::text, 'stale'::text, 'dead'::text, 'dismissed'::text])))
  CREATE INDEX jobs_by_deadline ON jobs USING btree (deadline) WHERE ((deadline IS NOT NULL) AND (state = ANY (ARRAY['pending'::text, 'active'::text, 'retry'::text])))
  CREATE INDEX jobs_by_first_sequence ON jobs USING btree (first_sequence)
  CREATE INDEX jobs_by_update ON jobs USING brin (updated_at) WITH (pages_per_range='32')
  CREATE INDEX jobs_in_rare_state ON jobs USING btree (state, created_at, id) WHERE (state <> 'completed'::text)
  CREATE INDEX jobs_newest ON jobs USING btree (created_at, id)
  CREATE INDEX jobs_of_error ON jobs USING btree (((md5(last_error))::uuid), created_at, id) WHERE (last_error IS NOT NULL)
  CREATE INDEX jobs_of_key ON jobs USING btree (((concurrency ->> 'key'::text)), created_at DESC) WHERE (concurrency IS NOT NULL)
  CREATE INDEX jobs_of_request ON jobs USING hash (request_id)
  CREATE INDEX jobs_of_service ON jobs USING btree (service, created_at, id)
  CREATE INDEX jobs_of_trace ON jobs USING hash (trace_id)
  CREATE INDEX jobs_of_type_in_state ON jobs USING btree (service, type, state, created_at, id)
  CREATE INDEX jobs_with_error ON jobs USING btree (created_at, id) WHERE (last_error IS NOT NULL)
  CREATE UNIQUE INDEX jobs_pkey ON jobs USING btree (id)
table pipelines
  name text not null
  epoch bigint not null
  owner text not null
  lease_until timestamp with time zone not null
  stream_created timestamp with time zone
  position bigint not null
  position_stored_at timestamp with time zone
  updated_at timestamp with time zone not null default now()
  constraint pipelines_pkey PRIMARY KEY (name)
  CREATE UNIQUE INDEX pipelines_pkey ON pipelines USING btree (name)
table quarantine
  stream_created timestamp with time zone not null
  sequence bigint not null
  stored_at timestamp with time zone not null
  subject text not null
  code text not null
  reason text not null
  store_code text
  body bytea not null
  quarantined_at timestamp with time zone not null default now()
  constraint quarantine_pkey PRIMARY KEY (stream_created, sequence)
  CREATE UNIQUE INDEX quarantine_pkey ON quarantine USING btree (stream_created, sequence)
table schema_migrations
  name text not null
  applied_at timestamp with time zone not null default now()
  constraint schema_migrations_pkey PRIMARY KEY (name)
  CREATE UNIQUE INDEX schema_migrations_pkey ON schema_migrations USING btree (name)
table workers with (fillfactor=50)
  comment 'Presence of workers, derived from their heartbeats. Public: read it, never write it.'
  service text not null
  type text not null
  instance_id text not null
  status text not null
  first_seen_at timestamp with time zone not null
  last_seen_at timestamp with time zone not null
  heartbeat_interval_ms integer not null
  concurrency integer
  version text
  active_jobs text[]
  active_job_count integer
  updated_at timestamp with time zone not null default now()
  constraint workers_pkey PRIMARY KEY (service, type, instance_id)
  constraint workers_status_check CHECK ((status = ANY (ARRAY['live'::text, 'late'::text, 'gone'::text])))
  CREATE UNIQUE INDEX workers_pkey ON workers USING btree (service, type, instance_id)
