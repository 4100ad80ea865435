// What other packages use of the Postgres store.
export * from './current-store.ts';
export * from './janitor-rows.ts';
export * from './job-change.ts';
export { writeChanges } from './job-row.ts';
export * from './migrate.ts';
export * from './migrate-when-reachable.ts';
export * from './open-postgres.ts';
export * from './pass-ledger.ts';
export type { Lease } from './pipeline-leases.ts';
export * from './presence-store.ts';
export * from './read/index.ts';
export type { StoreRefusal } from './store-refusal.ts';
