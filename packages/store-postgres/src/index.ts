export { migratePostgres } from './connection/migrate.ts';
export { migrateWhenReachable } from './connection/migrate-when-reachable.ts';
export { openPostgres, type Postgres, type Queryable } from './connection/open-postgres.ts';
export type { StoreRefusal } from './connection/store-refusal.ts';
export {
  type JanitorRow,
  JanitorRows,
  type LiveWorker,
  type ProjectedUpTo,
  type RowPlace,
} from './janitor/janitor-rows.ts';
export { type PassClaim, PassLedger, type PassProblem, type PassReport } from './janitor/pass-ledger.ts';
export {
  type HeardUpTo,
  PresenceStore,
} from './presence/presence-store.ts';
export { MAX_ACTIVE_JOBS, type WorkerPresence, type WorkerStatus } from './presence/worker-presence.ts';
export { type CommitOutcome, CurrentStore, Fenced } from './projection/current-store.ts';
export { type BatchCommit, type JobChange, NOT_LOADED } from './projection/job-change.ts';
export type { Lease } from './projection/pipeline-leases.ts';
export { planWrites } from './projection/plan-writes.ts';
export { type JanitorDuty, JobReader, type PipelinePosition } from './read/job-reader.ts';
export type { ReadJob } from './read/job-row.ts';
export type { Bodies } from './read/list-query.ts';
export type { JobFilter, PagePlace } from './read/page-plan.ts';
export { PresenceReader, type ServicePresence } from './read/presence-reader.ts';
export { QueueReader } from './read/queue-reader.ts';
export { StoreUnavailable } from './read/read-query.ts';
