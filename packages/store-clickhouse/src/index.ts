export { HistoryReader, type JobAddress, type ReadJobOptions } from './history-reader.ts';
export { JournalBlock } from './journal-block.ts';
export { JournalGone, JournalStore } from './journal-store.ts';
export { migrateClickHouse, pendingMigrations } from './migrate.ts';
export {
  type ClickHouse,
  type ClickHouseOptions,
  DEFAULT_CLICKHOUSE_DATABASE,
  openClickHouse,
} from './open-clickhouse.ts';
export { applyRetention } from './retention.ts';
