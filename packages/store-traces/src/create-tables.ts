// Makes the database and the tables where they are missing. A collector that writes there makes the same ones itself.
import { readdirSync, readFileSync } from 'node:fs';
import type { ClickHouse } from '@trellis/store-clickhouse';

export const DEFAULT_OTEL_DATABASE = 'otel';

const TABLES = new URL('../tables/', import.meta.url);

/** Table → the expression of its age. */
const AGES = {
  otel_traces: 'toDateTime(Timestamp)',
  otel_traces_trace_id_ts: 'toDateTime(Start)',
  otel_logs: 'TimestampTime',
};

/**
 * Makes what is missing, and sets how long rows are kept. Safe to run at every start and by several at once.
 * @param retentionDays whole days after which rows are dropped
 */
export async function createTraceTables(clickhouse: ClickHouse, retentionDays: number): Promise<void> {
  await clickhouse.ensureDatabase();
  for (const file of readdirSync(TABLES).sort()) {
    await clickhouse.client.command({ query: readFileSync(new URL(file, TABLES), 'utf8') });
  }
  for (const [table, age] of Object.entries(AGES)) {
    await clickhouse.client.command({
      query: `ALTER TABLE ${table} MODIFY TTL ${age} + toIntervalDay(${retentionDays})`,
    });
  }
}
