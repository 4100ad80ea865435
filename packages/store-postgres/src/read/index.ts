// The read side of the Postgres store, for whoever answers operators.
export * from './job-reader.ts';
export type { JobFilter, PagePlace, PageWanted } from './page-plan.ts';
export * from './presence-reader.ts';
export * from './queue-reader.ts';
export { StoreUnavailable } from './read-query.ts';
